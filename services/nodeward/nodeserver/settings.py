"""The node server's own settings."""

from pathlib import Path

from pydantic import Field

from nodeward.core.settings import Settings


class NodeserverSettings(Settings):
    """`NODEWARD_NODESERVER_<FIELD>` for the fields declared here."""

    role: str = Field("nodeserver", exclude=True)

    pull: bool = Field(
        True, description="Fetch the bundle from the config server; false leaves its files to somebody else, such as Ansible."
    )  # fmt: skip
    enrol_key: str = Field(
        "", description="The key to enrol with; by default what secrets/node/enrol holds.", repr=False
    )
    enrol_key_file: Path | None = Field(None, description="A file that holds the key to enrol with.")
    address: str = Field(
        "", description="The address to enrol with; by default the config server sees where it comes from."
    )
    workers: int = Field(4, ge=1, le=64, description="Processes that start external plugins.")
    plugins: int = Field(64, ge=1, le=4096, description="External plugins that may run at the same time.")
    threads: int = Field(16, ge=1, le=256, description="Threads that run built-in plugins.")
    plugin_path: str = Field(
        "/usr/lib/nagios/plugins:/usr/lib64/nagios/plugins:/usr/lib/monitoring-plugins:/usr/local/lib/nagios/plugins",
        description="Where a plugin named without a path is looked for, before PATH.",
    )
    spool_megabytes: int = Field(
        256, ge=1, description="Results kept on disk while the monitor is away; then the oldest go."
    )
    runs: int = Field(8, ge=1, le=100, description="Runbooks that may run at the same time.")
    copy_megabytes: int = Field(
        1024, ge=1, le=2**30, description="How large a file may be that a runbook copies, unless its step says `max_size`."
    )  # fmt: skip
    runs_kept: int = Field(500, ge=1, description="Records of runs that are kept; then the oldest go.")
    runs_megabytes: int = Field(512, ge=1, description="Room for the records of runs; then the oldest go.")

    @property
    def copy_bytes(self) -> int:
        """The same in bytes."""
        return self.copy_megabytes * 1024 * 1024

    @property
    def bundle(self) -> Path:
        """The directory with the files of the node's bundle."""
        return self.data / "bundle"
