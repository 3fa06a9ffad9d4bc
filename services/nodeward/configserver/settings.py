"""The config server's own settings."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from nodeward.core.ports import port
from nodeward.core.settings import Settings


class ConfigserverSettings(Settings):
    """`NODEWARD_CONFIGSERVER_<FIELD>` for the fields declared here."""

    role: str = Field("configserver", exclude=True)

    logserver_url: str = Field(
        "", description="Where the others reach the log server; by default port 7402 of this machine."
    )
    monitor_url: str = Field(
        "", description="Where the others reach the monitor; by default port 7403 of this machine."
    )
    web_url: str = Field("", description="Where people reach the web UI; by default port 7400 of this machine.")
    fleet: Path | None = Field(None, description="A fleet file to apply when the registry is still empty.")
    heartbeat: float = Field(15.0, gt=0, le=3600, description="Seconds between two signs of life of a node server.")
    delivery: Literal["pull", "rollout"] = Field(
        "pull", description="How a change reaches nodes that say nothing: at once, or when it is rolled out."
    )

    @property
    def servers(self) -> dict[str, str]:
        """Where each server is."""
        return {
            "configserver": self.config_url,
            "logserver": self.logserver_url or f"http://127.0.0.1:{port('logserver')}",
            "monitor": self.monitor_url or f"http://127.0.0.1:{port('monitor')}",
            "web": self.web_url or f"http://127.0.0.1:{port('web')}",
        }
