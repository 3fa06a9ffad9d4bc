"""How a node stands with its credential, and what somebody is told to do about it."""

from nodeward.configserver.credentials import NO_WAY_YET, Credentials, WayIn, advice
from nodeward.core.auth import Credential

SECOND = 1_000_000
BEGIN = 1_790_000_000 * SECOND


class Shelf:
    """Keeps nothing."""

    def credentials(self) -> list[Credential]:
        return []

    def used(self) -> set[str]:
        return set()

    def put_credential(self, *_: object) -> None:
        """Taken."""

    def revoke(self, *_: object) -> bool:
        return True

    def note_use(self, _: str) -> None:
        """Noted."""


class World:
    def __init__(self) -> None:
        self.now = BEGIN
        self.credentials = Credentials(Shelf(), lambda: self.now)  # type: ignore[arg-type]

    def later(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)

    def enrolled(self, node: str = "web-1") -> str:
        """Let a node enrol, and use what it gets; return its credential's id."""
        identifier = self.credentials.enrol(node).split("_")[1]
        self.credentials.proven(identifier)
        return identifier

    def way(self, node: str = "web-1") -> WayIn:
        return self.credentials.ways_in().get(node, NO_WAY_YET)

    def told(self, node: str = "web-1") -> str | None:
        return advice(node, self.way(node), self.now)


def test_a_node_that_is_new_is_to_enrol() -> None:
    world = World()
    assert world.told() == (
        "Node 'web-1' has not enrolled yet: give its node server the key that `nodeward token enrol-key` prints, "
        "by NODEWARD_NODESERVER_ENROL_KEY_FILE."
    )
    world.enrolled("web-2")
    assert world.told() is not None and world.told("web-2") is None


def test_a_node_whose_credential_ended_is_told_how_it_comes_in_again() -> None:
    world = World()
    identifier = world.enrolled()
    world.credentials.end("web-1")  # taken away, and added again
    first = world.told()
    assert first is not None
    assert "The credential of node 'web-1' ended at 2026-09-21 " in first and "it was refused with it" not in first
    assert "remove secrets/nodeserver/token under its NODEWARD_VAR and restart its node server" in first
    world.later(300)
    world.credentials.refused(identifier)
    world.later(5)
    second = world.told()
    assert second is not None and "; it was refused with it last at 2026-09-21 " in second
    world.later(600)
    assert world.told() == first, "it is quiet now"
    world.enrolled()
    assert world.told() is None


def test_one_that_is_shown_while_another_is_in_force_is_said_for_a_while() -> None:
    world = World()
    old = world.enrolled()
    world.credentials.revoke(old)
    world.enrolled()
    world.later(30)
    world.credentials.refused(old)
    assert world.told() is None, "a program that has not read the new one yet"
    world.later(60)
    world.credentials.refused(old)
    told = world.told()
    assert told is not None and "shows a credential of node 'web-1' that has ended" in told
    assert "Else another machine goes by its name." in told
    world.later(200)
    assert world.told() is None


def test_a_node_that_has_enrolled_anew_is_not_taken_for_another_machine() -> None:
    world = World()
    old = world.enrolled()
    world.credentials.revoke(old)
    world.later(300)
    world.credentials.refused(old)
    world.later(1)
    world.enrolled()
    assert world.told() is None
    world.later(10)
    world.credentials.refused(old)  # by a program beside the node server, which has not read the new one yet
    assert world.told() is None
    world.later(60)
    world.credentials.refused(old)
    assert "Else another machine goes by its name." in str(world.told())


def test_what_expired_is_over_and_nobody_elses_counts() -> None:
    world = World()
    token = world.credentials.make("web-1", "node", node="web-1", expires=world.now + 10 * SECOND)
    viewer = world.credentials.make("job", "viewer").split("_")[1]
    assert world.told() is None
    world.later(11)
    assert "ended at" in str(world.told())
    world.later(100)
    for identifier in (viewer, "none", None, token.split("_")[1]):
        world.credentials.refused(identifier)
    assert world.way().refused == world.now
    assert set(world.credentials.ways_in()) == {"web-1"}
