"""The wire form of putting files in place on a node: what the config server is asked for it, and asks that node's server."""

from pydantic import Field

from nodeward.core.http import Body


class Placing(Body):
    """Files to put in place on a node."""

    files: dict[str, str] = Field(min_length=1, description="Text by name.")
    check: bool = Field(False, description="Only have the node's programs look at them; change nothing.")


class Quiet(Body):
    """What is about to be put in place on a node; the runs that this would end are waited for."""

    files: dict[str, str] = Field({}, description="Text by name; those that lie there already may be left out.")
    reload: bool = Field(False, description="Programs will only be told to read their files: that ends no run.")
    now: bool = Field(False, description="Do not wait: what is under way is cut off.")


class Anew(Body):
    """How the programs take in their files."""

    reload: bool = Field(False, description="Only tell them to read (SIGHUP) instead of starting them anew.")
    check: bool = Field(False, description="Only say what would be done.")
