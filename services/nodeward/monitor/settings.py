"""The settings of the monitor."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from nodeward.core import clock
from nodeward.core.settings import Settings

Duration = Annotated[float, BeforeValidator(clock.parse_duration)]


class MonitorSettings(Settings):
    """What the monitor reads from the environment. Durations are seconds, or text such as 90s, 10m, 2d."""

    role: str = "monitor"

    slack: Duration = Field(
        15.0, description="How much later than planned a result may come before silence is a problem."
    )
    first_contact: Duration = Field(
        600.0, description="How long a new node may take to be heard of for the first time."
    )
    grace: Duration = Field(
        90.0, description="After the monitor itself was away: how long nodes have to send what they kept meanwhile."
    )
    gather: Duration = Field(
        3.0, description="How long a problem waits for others of the same cause, to be told together."
    )
    remind: Duration = Field(0.0, description="How often a problem that lasts is told again; 0 is never.")
    ack_expiry: Duration = Field(86400.0, description="How long an acknowledgement holds where it names no end.")

    smtp_host: str = Field("", description="The mail server that takes the monitor's e-mail; empty sends no e-mail.")
    smtp_port: int = Field(25, ge=1, le=65535, description="Its port.")
    smtp_user: str = Field("", description="The user to log in as; empty logs in as nobody.")
    smtp_password_file: Path | None = Field(None, description="The file with that user's password.")
    smtp_from: str = Field("nodeward@localhost", description="The sender's address.")
    smtp_tls: Literal["no", "starttls", "tls"] = Field(
        "no",
        description="starttls and tls encrypt and check the server's certificate; no is for this machine's own mailer.",
    )
    link: str = Field("", description="Where people reach the web UI, for the link in a message.")

    keep_raw: Duration = Field(48 * 3600.0, description="How long performance data is kept at its full rate.")
    keep_5m: Duration = Field(30 * 86400.0, description="How long it is kept per five minutes.")
    keep_1h: Duration = Field(730 * 86400.0, description="How long it is kept per hour.")
    keep_events: Duration = Field(365 * 86400.0, description="How long the history of events is kept.")
