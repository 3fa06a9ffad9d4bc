"""The ways to reach a person. A new one is a module here, a row in the table, a test and a line in the how-to page."""

from collections.abc import Callable

from nodeward.monitor.notifiers.base import Notifier
from nodeward.monitor.notifiers.email import Email
from nodeward.monitor.notifiers.url import Url
from nodeward.monitor.settings import MonitorSettings

KINDS: dict[str, Callable[[MonitorSettings], Notifier]] = {
    "email": Email,
    "url": lambda _settings: Url(),
}
