"""Deeds on their way to the audit list: each arrives, whatever happens to those who carry it."""

import fcntl
from dataclasses import replace

import pytest

from nodeward.core import clock
from nodeward.core.deeds import Deed, Shipper, note
from nodeward.core.errors import BadInput, Unavailable


def deed(number):
    return Deed(number, "ada", "restart program", f"program {number}", "web", "192.0.2.1")


class Audit:
    """An audit list that can be away."""

    def __init__(self):
        self.rows, self.error = [], None

    def take(self, one):
        if self.error is not None:
            raise self.error
        self.rows.append(one)


@pytest.fixture
def audit():
    return Audit()


def test_what_was_done_arrives_in_order_and_once(tmp_path, audit):
    shipper = Shipper(tmp_path, audit.take)
    shipper.unit()  # nothing was ever done
    for number in (3, 1, 2):
        note(tmp_path, deed(number))
    shipper.unit()
    shipper.unit()
    assert audit.rows == [deed(1), deed(2), deed(3)]


def test_it_waits_while_the_audit_list_is_away_and_survives_a_restart(tmp_path, audit):
    audit.error = Unavailable("It is away.")
    note(tmp_path, deed(1))
    Shipper(tmp_path, audit.take).unit()
    audit.error = None
    Shipper(tmp_path, audit.take).unit()
    assert audit.rows == [deed(1)]


def test_what_is_refused_for_good_or_is_damaged_holds_up_no_other(tmp_path, audit, caplog):
    note(tmp_path, deed(1))
    (tmp_path / "run" / "deeds" / "0.json").write_text("{")
    audit.error = BadInput("Not valid.")
    shipper = Shipper(tmp_path, audit.take)
    shipper.unit()
    assert "Not valid." in caplog.text and "is no deed" in caplog.text
    audit.error = None
    note(tmp_path, deed(2))
    shipper.unit()
    assert audit.rows == [deed(2)]


def test_one_of_several_programs_ships_at_a_time(tmp_path, audit):
    note(tmp_path, deed(1))
    with (tmp_path / "run" / "deeds" / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        Shipper(tmp_path, audit.take).unit()
        assert audit.rows == []
    Shipper(tmp_path, audit.take).unit()
    assert audit.rows == [deed(1)]


def test_a_disk_that_takes_none_stops_nobody(tmp_path, caplog):
    (tmp_path / "run").write_text("no directory")
    note(tmp_path, deed(1))
    assert "could not be noted for the audit" in caplog.text


def test_a_node_leaves_what_no_ticket_proves_to_a_server_for_a_while(tmp_path, audit):
    now = clock.now()
    proven, old, fresh = (
        replace(deed(at), ticket=ticket) for at, ticket in ((now, "t"), (now - 900_000_000, None), (now, None))
    )
    for each in (proven, old, fresh):
        note(tmp_path, each)
    Shipper(tmp_path, audit.take, patience=600.0).unit()
    assert set(audit.rows) == {proven, old}
    Shipper(tmp_path, audit.take).unit()
    assert set(audit.rows) == {proven, old, fresh} and len(audit.rows) == 3
