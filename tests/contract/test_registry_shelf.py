"""What every registry shelf must keep (store/base_registry.py), whatever the engine."""

import threading

import pytest

from nodeward.core.auth import Credential
from nodeward.core.errors import Conflict
from nodeward.store.base_registry import BundleMark, Change, Deed, Key, Revision
from nodeward.store.choose_registry import open_registry
from support.stores import STORES, uri_of

NODE = Key("node", "web-1")
BODY = {"kind": "node", "name": "web-1", "labels": {"ort": "Köln 🏠"}, "x": [1, 2.5, None, True]}


@pytest.fixture(params=STORES)
def opened(request, tmp_path):
    """Open the shelf, again and again over the same place."""
    store = uri_of(request)
    shelves = []

    def opened():
        shelves.append(open_registry(store, tmp_path))
        return shelves[-1]

    yield opened
    for shelf in shelves:
        shelf.close()


@pytest.fixture
def shelf(opened):
    return opened()


def revision(number, *changes, at=5):
    return Revision(number, at, "ada", "because", list(changes))


def credential(identifier, **more):
    return Credential(id=identifier, name=f"n-{identifier}", role="viewer", hash="h" * 64, created=1, **more)


def test_a_new_shelf_is_empty(shelf):
    assert (shelf.objects(), shelf.head(), shelf.credentials(), shelf.deeds(None, 9)) == ([], 0, [], [])
    assert shelf.revision(1) is None


def test_what_was_committed_is_there_after_opening_it_anew(shelf, opened):
    change = Change(NODE, None, BODY)
    shelf.commit(0, revision(1, change))
    again = opened()
    assert [(each.key, each.body, each.changed) for each in again.objects()] == [(NODE, BODY, 1)]
    assert again.head() == 1
    assert again.revision(1) == revision(1, change)


def test_a_removed_object_is_gone_and_its_history_stays(shelf):
    shelf.commit(0, revision(1, Change(NODE, None, BODY)))
    shelf.commit(1, revision(2, Change(NODE, BODY, None)))
    assert shelf.objects() == []
    assert shelf.revision(2).changes == [Change(NODE, BODY, None)]
    assert shelf.revision(2).changes[0].action == "delete"


def test_the_revision_that_last_changed_an_object_is_known(shelf):
    other = Key("node", "web-2")
    shelf.commit(0, revision(1, Change(NODE, None, BODY), Change(other, None, BODY)))
    shelf.commit(1, revision(2, Change(other, BODY, {**BODY, "y": 1})))
    assert {each.key: each.changed for each in shelf.objects()} == {NODE: 1, other: 2}


@pytest.mark.parametrize(("expected", "number"), [(0, 1), (2, 3), (1, 3), (1, 1)])
def test_a_commit_from_an_older_or_unknown_revision_changes_nothing(shelf, expected, number):
    shelf.commit(0, revision(1, Change(NODE, None, BODY)))
    with pytest.raises(Conflict):
        shelf.commit(expected, revision(number, Change(NODE, BODY, None)))
    assert shelf.head() == 1
    assert len(shelf.objects()) == 1


def test_of_many_writers_at_once_each_revision_has_one_and_none_is_lost(shelf):
    refused = []

    def write(name):
        for _ in range(5):
            while True:
                head = shelf.head()
                try:
                    shelf.commit(head, revision(head + 1, Change(Key("node", f"{name}-{head}"), None, BODY)))
                    break
                except Conflict:
                    refused.append(name)

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert shelf.head() == 20
    assert [each.number for each in shelf.revisions(None, 100)] == list(range(20, 0, -1))
    assert len(shelf.objects()) == 20


def test_revisions_come_newest_first_in_pages(shelf):
    for number in range(1, 6):
        shelf.commit(number - 1, revision(number, Change(Key("node", f"n{number}"), None, BODY)))
    assert [each.number for each in shelf.revisions(None, 2)] == [5, 4]
    assert [each.number for each in shelf.revisions(4, 2)] == [3, 2]


def test_credentials_are_kept_replaced_and_revoked_once(shelf, opened):
    shelf.put_credential(credential("a" * 12, expires=99))
    shelf.put_credential(credential("b" * 12, node="web-1"), replacing=["a" * 12], at=7)
    assert shelf.revoke("b" * 12, 8) is True
    assert shelf.revoke("b" * 12, 9) is False
    assert shelf.revoke("c" * 12, 9) is False
    found = opened().credentials()
    assert [(each.id, each.revoked, each.expires, each.node) for each in found] == [
        ("a" * 12, 7, 99, None),
        ("b" * 12, 8, None, "web-1"),
    ]


def test_what_a_credential_supersedes_is_kept(shelf, opened):
    shelf.put_credential(credential("a" * 12))
    shelf.put_credential(credential("b" * 12, supersedes="a" * 12))
    assert [(each.revoked, each.supersedes) for each in opened().credentials()] == [(None, None), (None, "a" * 12)]


def test_that_a_credential_was_used_is_remembered(shelf, opened):
    shelf.put_credential(credential("a" * 12))
    shelf.note_use("a" * 12)
    shelf.note_use("a" * 12)
    assert opened().used() == {"a" * 12}


def test_passwords_are_kept_changed_and_forgotten(shelf):
    shelf.put_password("ada", "one")
    shelf.put_password("ada", "two")
    assert shelf.password("ada") == "two"
    shelf.put_password("ada", None)
    assert shelf.password("ada") is None


def test_the_audit_list_grows_and_is_read_in_pages(shelf, opened):
    for number in range(5):
        shelf.note(Deed(number, "ada", "web", "192.0.2.1", "do", f"thing {number}"))
    deeds = opened().deeds(None, 2)
    assert [each.what for each in deeds] == ["thing 4", "thing 3"]
    assert [each.what for each in shelf.deeds(deeds[-1].id, 9)] == ["thing 2", "thing 1", "thing 0"]


def test_bundle_marks_take_each_others_place(shelf, opened):
    shelf.put_bundle_marks([BundleMark("a", "x", 1), BundleMark("b", "y", 1)])
    shelf.put_bundle_marks([BundleMark("a", "z", 2)])
    assert set(opened().bundle_marks()) == {BundleMark("a", "z", 2), BundleMark("b", "y", 1)}
