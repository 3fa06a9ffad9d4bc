"""A plugin's command line and environment: macros, the plugin directories, and as little else as possible."""

import os
import re
import shutil

from nodeward.core.bundle import Check

_MACRO = re.compile(r"\$([A-Z_][A-Za-z0-9_]*|)\$")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def macros(check: Check, plugin_path: str) -> dict[str, str]:
    """Return the macros that a command may use, without their dollar signs."""
    address = check.address or check.node
    return {
        "": "$",  # $$ stands for a dollar sign
        "HOSTNAME": check.node,
        "HOSTALIAS": check.node,
        "HOSTADDRESS": address,
        "SERVICEDESC": check.service or "",
        "USER1": _directory(plugin_path),
        **{
            name: value for name, value in check.env.items() if re.fullmatch(r"ARG\d+|USER\d+|_(HOST|SERVICE)\w+", name)
        },
    }


def expand(word: str, known: dict[str, str]) -> str:
    """Return a word with its macros filled in; one that is not known stays as it is."""
    return _MACRO.sub(lambda match: known.get(match[1], match[0]), word)


def argv(check: Check, plugin_path: str) -> list[str]:
    """Return the argument vector: a first word without a slash is looked for in the plugin directories, then on PATH."""
    known = macros(check, plugin_path)
    words = [expand(word, known) for word in check.command or []]
    program = words[0] if "/" in words[0] else shutil.which(words[0], path=f"{plugin_path}:{_PATH}") or words[0]
    return [program, *words[1:]]


def environment(check: Check) -> dict[str, str]:
    """Return the environment: nothing of this process's own but its place in the world."""
    given = {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "HOME": os.environ.get("HOME", "/"),
        "NAGIOS_HOSTNAME": check.node,
        "NAGIOS_HOSTADDRESS": check.address or check.node,
        "NAGIOS_SERVICEDESC": check.service or "",
    }
    if "TZ" in os.environ:
        given["TZ"] = os.environ["TZ"]
    return {**given, **check.env}


def _directory(plugin_path: str) -> str:
    """The first plugin directory that there is: what $USER1$ is by custom."""
    directories = plugin_path.split(":")
    return next((one for one in directories if os.path.isdir(one)), directories[0])
