"""The errors that reach a person, each with a sentence that says what, where and what to do.

Raise one near its cause. It becomes text in one place per program: `http` makes problem+json of it, `program` a line and
an exit code.
"""

from dataclasses import dataclass

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_CONFIG = 78  # sysexits' EX_CONFIG


@dataclass(frozen=True)
class Problem:
    """One fault in what somebody handed in.

    `path` tells where in the input ("checks[3].interval", "node web-1: address"), `message` what is wrong and what to do.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"At '{self.path}': {self.message}" if self.path else self.message


class NodewardError(Exception):
    """An error with an HTTP status, an exit code and a sentence.

    `retry` says whether the same request may succeed later; the loop that called decides what to do with that.
    """

    status = 500
    exit_code = EXIT_FAILED
    title = "Internal error"
    retry = False

    def __init__(self, detail: str, problems: list[Problem] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = problems or []

    def __str__(self) -> str:
        return "\n".join([self.detail, *(f"  {problem}" for problem in self.problems)])


class BadInput(NodewardError):
    """What was sent cannot be understood or is not valid; every fault found is in `problems`."""

    status = 422
    title = "Invalid input"


class ConfigError(NodewardError):
    """A program's own settings or files are wrong: it cannot start."""

    exit_code = EXIT_CONFIG
    title = "Invalid configuration"


class NotAuthenticated(NodewardError):
    """No token, or one that is unknown, expired or revoked. `who` is for the audit list: whose it was, or what it was; `token`
    the id of a credential that is in force no more."""

    status = 401
    title = "Not authenticated"

    def __init__(
        self,
        detail: str,
        problems: list[Problem] | None = None,
        who: str = "unknown token",
        token: str | None = None,
    ) -> None:
        super().__init__(detail, problems)
        self.who, self.token = who, token


class NotAllowed(NodewardError):
    """The token is known; it does not reach that far."""

    status = 403
    title = "Not allowed"


class NotFound(NodewardError):
    """There is no such thing."""

    status = 404
    title = "Not found"


class Conflict(NodewardError):
    """Somebody else got there first, or the thing is in a state that forbids this."""

    status = 409
    title = "Conflict"


class NotSeen(Conflict):
    """The request would take away what its sender may not have seen: it must say which revision it saw."""

    status = 428
    title = "Precondition required"


class TooMany(NodewardError):
    """Asked too often, or for too much at once."""

    status = 429
    title = "Too many requests"
    retry = True


class Unavailable(NodewardError):
    """A server or store could not be reached, or is not ready; trying again later may help."""

    status = 503
    title = "Unavailable"
    retry = True


class TicketRefused(Unavailable):
    """A node server does not take the ticket that it is shown, which is not for who asks to mend. `why` is what it says."""

    def __init__(self, detail: str, problems: list[Problem] | None = None, *, why: str = "") -> None:
        super().__init__(detail, problems)
        self.why = why


class NotOurs(Unavailable):
    """What answered is none of our servers, or a broken one: somebody must look at it before it is asked again."""

    status = 502
    title = "Bad answer"
