"""Can the monitor send to a contact's URLs? What follows a URL's scheme is a secret, and no fault ever shows it.

Looked at when a contact is given, and not when a stored one is read: what an older Nodeward took must not stop this one.
"""

import difflib
from collections.abc import Mapping
from typing import Any

from nodeward.configserver.apprise_schemes import SCHEMES
from nodeward.core.errors import Problem


def faults(contact: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the URLs of a contact that is valid otherwise."""
    found = ((f"urls[{index}]", _fault(url)) for index, url in enumerate(contact.get("urls") or []))
    return [Problem(path, message) for path, message in found if message]


def _fault(url: str) -> str | None:
    scheme, separator, _ = url.partition("://")
    if not separator:
        return "it is not a URL; write for example json://hooks.example.org/path"
    if scheme.lower() in SCHEMES:
        return None
    near = difflib.get_close_matches(scheme.lower(), SCHEMES, 1)
    hint = f"did you mean {near[0]}://?" if near else "Apprise's list of services has the schemes"
    return f"the monitor cannot send to {scheme[:40]}://; {hint}"
