"""Notifications, from a report over HTTP to a real mail server and a real webhook."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.config import FakeConfig
from fakes.monitor_process import MonitorProcess, Reporter, until
from fakes.smtp import SmtpSink
from fakes.webhook import WebhookSink
from nodeward.core.errors import Conflict

SECRET = "hunter2hunter2"


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def hook() -> Iterator[WebhookSink]:
    with WebhookSink() as sink:
        yield sink


@pytest.fixture
def monitor(
    config: FakeConfig, tmp_path: Path, free_port: Callable[[], int], mail: SmtpSink, hook: WebhookSink
) -> Iterator[MonitorProcess]:
    config.monitoring = {
        "revision": 1,
        "nodes": [{"name": "web-1", "agent": True, "contacts": ["ann"]}, {"name": "db-1", "agent": True}],
        "services": [
            {"node": "web-1", "service": "disk", "attempts": 1},
            {"node": "web-1", "service": "load", "attempts": 1},
            {"node": "db-1", "service": "disk", "attempts": 1},
        ],
        "contacts": [
            {"name": "ann", "email": "ann@example.org"},
            {"name": "chat", "urls": [f"json://{hook.address}/hooks/{SECRET}"]},
        ],
        "periods": [],
        "routes": [{"name": "databases", "match": {"nodes": ["db-*"], "states": ["CRITICAL"]}, "contacts": ["chat"]}],
    }
    process = MonitorProcess(
        tmp_path,
        config,
        free_port(),
        NODEWARD_MONITOR_GATHER="0.5",
        NODEWARD_MONITOR_SMTP_HOST="127.0.0.1",
        NODEWARD_MONITOR_SMTP_PORT=str(mail.port),
    )
    process.start()
    yield process
    process.stop()


def outbox(monitor: MonitorProcess, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = monitor.viewer.get("/api/v1/notifications", query)["items"]
    return items


def _notifications(monitor: MonitorProcess) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = monitor.viewer.get("/api/v1/events", {"type": "notification"})["items"]
    return items


def test_a_problem_is_mailed_once_and_its_recovery_once(monitor: MonitorProcess, mail: SmtpSink) -> None:
    web = Reporter(monitor, "web-1")
    web.send(web.result("disk", 0))
    web.send(web.result("disk", 2, "97 % full"))
    until(lambda: mail.mails)
    assert mail.subjects() == ["disk on web-1 is CRITICAL"]
    assert "97 % full" in str(mail.mails[0].get_payload())
    web.send(web.result("disk", 2, "98 % full"))
    web.send(web.result("disk", 0, "40 % full"))
    until(lambda: len(mail.mails) > 1)
    assert mail.subjects()[1:] == ["disk on web-1 is OK again"]
    assert [(flip["kind"], flip["status"]) for flip in outbox(monitor)] == [("recovery", "told"), ("problem", "told")]
    problem = outbox(monitor)[1]
    assert problem["deliveries"][0]["status"] == "sent"
    assert problem["sent"] == problem["deliveries"][0]["sent"] > problem["at"]
    told = until(lambda: events if len(events := _notifications(monitor)) > 1 else None)  # noted once the mail is taken
    assert [(event["kind"], event["state"]) for event in told] == [("recovery", "OK"), ("problem", "CRITICAL")]


def test_problems_that_come_together_are_told_together(monitor: MonitorProcess, mail: SmtpSink) -> None:
    web = Reporter(monitor, "web-1")
    web.send(web.result("disk", 2), web.result("load", 1))
    until(lambda: mail.mails)
    assert mail.subjects() == ["2 problems on web-1: disk on web-1 is CRITICAL"]


def test_a_mail_server_that_is_busy_is_tried_again_and_its_answer_is_shown(
    monitor: MonitorProcess, mail: SmtpSink
) -> None:
    mail.refuse = "550 no such person"
    web = Reporter(monitor, "web-1")
    web.send(web.result("disk", 2))
    failed = until(
        lambda: [each for flip in outbox(monitor) for each in flip["deliveries"] if each["status"] == "failed"]
    )
    assert "550 no such person" in failed[0]["error"]
    assert [flip["sent"] for flip in outbox(monitor, service="disk")] == [None]
    mail.refuse = "451 try later"
    web.send(web.result("load", 2))
    waiting = until(
        lambda: [
            each
            for flip in outbox(monitor, service="load")
            for each in flip["deliveries"]
            if each["status"] == "waiting" and each["tries"]
        ]
    )
    assert "451 try later" in waiting[0]["error"]
    assert [event["status"] for event in _notifications(monitor)] == ["retrying", "failed"]


def test_a_webhook_is_told_by_route_and_its_url_stays_secret(
    monitor: MonitorProcess, hook: WebhookSink, mail: SmtpSink
) -> None:
    db = Reporter(monitor, "db-1")
    db.send(db.result("disk", 1, "80 %"))
    flip = until(lambda: [flip for flip in outbox(monitor) if flip["status"] == "dropped"])[0]
    assert flip["reason"] == "No contact and no route is for it."
    db.send(db.result("disk", 2, "97 %"))
    until(lambda: hook.posts)
    assert hook.posts[0]["title"] == "disk on db-1 is CRITICAL"
    hook.status = 503
    db.send(db.result("disk", 0))
    delivery = until(
        lambda: [
            each
            for flip in outbox(monitor)
            for each in flip["deliveries"]
            if each["status"] == "waiting" and each["error"]
        ]
    )[0]
    assert "503" in delivery["error"]
    assert SECRET not in repr(outbox(monitor)) + repr(monitor.viewer.get("/api/v1/events")) + monitor.log()
    assert not mail.mails


def test_in_downtime_nobody_is_told_and_afterwards_what_lasts_is(monitor: MonitorProcess, mail: SmtpSink) -> None:
    planned = monitor.operator.post("/api/v1/downtimes", {"node": "web-1", "to": "1h", "comment": "new disks"})[
        "items"
    ][0]
    web = Reporter(monitor, "web-1")
    web.send(web.result("disk", 2, "gone"))
    held = until(lambda: [flip for flip in outbox(monitor) if flip["status"] == "held"])
    assert "In downtime until" in held[0]["reason"] and "new disks" in held[0]["reason"]
    row = monitor.viewer.get("/api/v1/states", {"service": "disk", "node": "web-1"})["items"][0]
    assert row["in_downtime"] and row["handled"]
    assert not mail.mails
    monitor.operator.delete(f"/api/v1/downtimes/{planned['id']}")
    until(lambda: mail.mails)
    assert mail.subjects() == ["disk on web-1 is CRITICAL"]


def test_an_acknowledged_problem_is_not_told_and_only_problems_can_be_acknowledged(
    monitor: MonitorProcess, mail: SmtpSink
) -> None:
    web = Reporter(monitor, "web-1")
    web.send(web.result("load", 0))
    with pytest.raises(Conflict, match="nothing to acknowledge"):
        monitor.operator.post("/api/v1/acknowledgements", {"node": "web-1", "service": "load"})
    web.send(web.result("disk", 2, "full"))
    until(lambda: mail.mails)
    row = monitor.operator.post("/api/v1/acknowledgements", {"node": "web-1", "service": "disk", "comment": "on it"})[
        "items"
    ][0]
    assert row["acknowledgement"]["author"] == "operator" and row["acknowledgement"]["expires"]
    web.send(web.result("disk", 3, "no answer"))
    held = until(lambda: [flip for flip in outbox(monitor) if flip["status"] == "held"])
    assert held[0]["reason"] == "Acknowledged by operator: on it"
    assert monitor.operator.delete("/api/v1/acknowledgements", {"node": "web-1", "service": "disk"}) == {"withdrawn": 1}
    until(lambda: len(mail.mails) > 1)
    assert mail.subjects()[1] == "disk on web-1 is UNKNOWN"


def test_a_message_that_could_not_leave_before_a_kill_leaves_afterwards(
    monitor: MonitorProcess, hook: WebhookSink
) -> None:
    hook.status = 503
    db = Reporter(monitor, "db-1")
    db.send(db.result("disk", 2))
    until(lambda: hook.tried)
    monitor.kill()
    hook.status = 200
    monitor.start()
    until(lambda: hook.posts, 90)
    assert [post["title"] for post in hook.posts] == ["disk on db-1 is CRITICAL"]
