"""The contract of a notifier: one way to reach a person."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Message:
    """What is told. `severity` is failure, warning, success or info; `id` is the same when the message is sent again."""

    id: str
    subject: str
    body: str
    severity: str = "failure"


class NotifyFailed(Exception):
    """It could not be told. The sentence holds no secret; `retry` says whether it may work later."""

    def __init__(self, sentence: str, *, retry: bool) -> None:
        super().__init__(sentence)
        self.retry = retry


class Notifier(Protocol):
    """Sends to one kind of address."""

    def send(self, address: str, message: Message) -> None:
        """Hand `message` over to whoever carries it to `address`. Raise NotifyFailed if that is not certain."""

    def label(self, address: str) -> str:
        """Return how `address` is shown to people: without anything secret."""
