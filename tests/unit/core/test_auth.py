import pytest

from nodeward.core import auth, tokens
from nodeward.core.errors import NotAllowed, NotAuthenticated


class Known:
    """A credential source with one credential."""

    def __init__(self, **more):
        self.token, identifier, digest = tokens.mint()
        self.credential = auth.Credential(**{"id": identifier, "name": "x", "role": "viewer", "hash": digest, **more})

    def find(self, identifier):
        return self.credential if identifier == self.credential.id else None

    def ask(self, at=0, on_behalf=None):
        return auth.authenticate(f"Bearer {self.token}", on_behalf, self, at)


def test_the_right_token_is_its_credential():
    assert Known(role="operator").ask() == auth.Principal("x", "operator")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Basic YTpi", "Bearer nw_000000000000_" + "a" * 43])
def test_no_token_or_an_unknown_one_is_refused(header):
    with pytest.raises(NotAuthenticated):
        auth.authenticate(header, None, Known(), at=0)


def test_a_token_with_the_right_id_and_another_secret_is_refused():
    known = Known()
    forged = known.token[:-1] + ("a" if known.token[-1] != "a" else "b")
    with pytest.raises(NotAuthenticated, match="not known"):
        auth.authenticate(f"Bearer {forged}", None, known, at=0)


def test_an_expired_and_a_revoked_token_are_refused_saying_which():
    with pytest.raises(NotAuthenticated, match=r"expired at 1970-01-01T00:00:00\.000005Z"):
        Known(expires=5).ask(at=5)
    assert Known(expires=5).ask(at=4).name == "x"
    with pytest.raises(NotAuthenticated, match="revoked"):
        Known(revoked=1).ask(at=4)


@pytest.mark.parametrize(
    ("role", "needed", "reaches"),
    [
        ("viewer", ("viewer",), True),
        ("viewer", ("operator",), False),
        ("operator", ("viewer",), True),
        ("admin", ("operator",), True),
        ("service", ("admin",), True),
        ("node", ("viewer",), False),
        ("node", ("viewer", "node"), True),
        ("admin", ("node",), False),
        ("service", ("node", "service"), True),
        ("viewer", (), False),
    ],
)
def test_a_role_reaches_what_it_or_a_lower_one_may(role, needed, reaches):
    assert auth.Principal("x", role).reaches(needed) is reaches


def test_a_service_asks_in_a_persons_name_and_reaches_as_far_as_the_person():
    asking = Known(name="web", role="service").ask(on_behalf="ada; role=viewer")
    assert asking == auth.Principal("ada", "viewer", via="web")
    assert not asking.reaches(("operator",))
    asking = Known(name="web", role="service").ask(on_behalf="ada; role=viewer; from=2001:db8::7")
    assert asking == auth.Principal("ada", "viewer", via="web", address="2001:db8::7")


@pytest.mark.parametrize("header", ["ada; role=service", "ada; role=node", "ada", "ada; role=root"])
def test_a_service_cannot_name_a_role_that_no_person_has(header):
    with pytest.raises(NotAllowed):
        Known(role="service").ask(on_behalf=header)


@pytest.mark.parametrize("role", ["viewer", "operator", "admin", "node"])
def test_nobody_else_asks_in_anothers_name(role):
    with pytest.raises(NotAllowed):
        Known(role=role).ask(on_behalf="ada; role=viewer")


def test_a_node_speaks_for_itself_alone():
    node = auth.Principal("web-1", "node", node="web-1")
    node.must_speak_for("web-1")
    with pytest.raises(NotAllowed, match="web-2"):
        node.must_speak_for("web-2")
    auth.Principal("logserver", "service").must_speak_for("web-2")


def test_a_stored_hash_does_not_hold_the_token():
    token, identifier, digest = tokens.mint()
    assert tokens.identifier(token) == identifier
    assert tokens.matches(token, digest)
    assert identifier not in digest
    assert not tokens.matches(token + "x", digest)
