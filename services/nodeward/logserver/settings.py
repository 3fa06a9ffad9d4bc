"""The log server's own settings."""

import zoneinfo

from pydantic import Field, field_validator

from nodeward.core import clock
from nodeward.core.settings import Settings


class LogserverSettings(Settings):
    """What `nodeward.logserver.main` reads from the environment."""

    role: str = Field("logserver", exclude=True)

    retention: str = Field("30d", description="How long log records are kept, e.g. 30d or 12h.")
    max_bytes: int = Field(
        0, ge=0, description="How many bytes stored records may take; beyond, the oldest day goes first. 0: no limit."
    )
    syslog_port: int = Field(7514, ge=0, le=65535, description="Where syslog is received over UDP and TCP. 0: nowhere.")
    syslog_timezone: str = Field(
        "UTC", description="The time zone of syslog messages that name none (RFC 3164), e.g. Europe/Berlin."
    )

    @field_validator("retention")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        if clock.parse_duration(text) < 60:
            raise ValueError(f"{text!r} is less than a minute; nothing would ever be found")
        return text

    @field_validator("syslog_timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone this machine knows; write for example Europe/Berlin") from None
        return name

    @property
    def retention_seconds(self) -> float:
        """How long records are kept."""
        return clock.parse_duration(self.retention)
