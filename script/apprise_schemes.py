"""The URL schemes that a contact may have: what the Apprise that the monitor is built with can send to, as a table.

The config server's image has no Apprise (docs/decisions/0310); this table is how it knows.
"""

import re
import sys
from pathlib import Path
from typing import Any

import apprise

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "services" / "nodeward" / "configserver" / "apprise_schemes.py"
LOCK = ROOT / "images" / "monitor" / "requirements.lock"
WIDTH = 110
HEAD = '''"""What URLs the monitor's Apprise can send to. Written by `script/apprise-schemes`."""

_TEXT = (
'''


def main(arguments: list[str]) -> int:
    """Write the table, or with --check say whether it is what it would be. Return the exit code."""
    wanted = table(schemes())
    if "--check" not in arguments:
        TABLE.write_text(wanted)
        return 0
    if TABLE.read_text() != wanted:
        sys.stderr.write(
            f"{TABLE.name} is not what this Apprise ({apprise.__version__}) knows: run script/apprise-schemes.\n"
        )
        return 1
    return 0


def schemes() -> list[str]:
    """Return the schemes of every service that works in the monitor's image."""
    services = [each for each in apprise.Apprise().details(show_requirements=True)["schemas"] if _works(each)]
    found = (service[key] or () for service in services for key in ("protocols", "secure_protocols"))
    return sorted({scheme for each in found for scheme in ([each] if isinstance(each, str) else each)})


def _works(service: dict[str, Any]) -> bool:
    """Whether the image has what a service needs; this machine may have more."""
    needed = service["requirements"].get("packages_required") or []
    present = set(re.findall(r"^([a-z0-9-]+)==", LOCK.read_text(), re.MULTILINE))
    return {re.split(r"[^A-Za-z0-9_.-]", each)[0].lower() for each in needed} <= present


def table(found: list[str]) -> str:
    """Return the module's text."""
    lines, line = [], ""
    for scheme in found:
        if len(line) + len(scheme) > WIDTH - 10:
            lines.append(line)
            line = ""
        line = f"{line} {scheme}".strip()
    text = "".join(f'    "{each} "\n' for each in [*lines, line])
    return f"{HEAD}{text})\nSCHEMES = frozenset(_TEXT.split())\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
