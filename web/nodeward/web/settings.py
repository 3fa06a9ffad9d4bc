"""What web reads from the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from nodeward.core.settings import Settings


class WebSettings(Settings):
    """The settings of web."""

    role: str = Field("web", exclude=True)
    async_: Literal["eventlet", "threading"] = Field(
        "eventlet", description="What carries the live sockets: eventlet, or threading (gunicorn's gthread)."
    )
    connections: int = Field(
        1000, ge=10, le=100_000, description="How many connections at a time; under threading, how many threads."
    )
    session_hours: float = Field(12, gt=0, le=720, description="After so many hours without a click a login ends.")
    https: bool = Field(
        False, description="Whether browsers reach web through HTTPS: cookies are then sent no other way."
    )

    @property
    def session_key_file(self) -> Path:
        """The key that signs the session cookies."""
        return self.secrets / "session-key"

    @property
    def sessions_file(self) -> Path:
        """Which logins last."""
        return self.var / "web" / "sessions.json"
