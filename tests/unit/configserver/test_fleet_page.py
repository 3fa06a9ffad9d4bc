"""The how-to page's own examples."""

import re
from pathlib import Path

from nodeward.configserver import documents, verify
from nodeward.configserver.fleet import Fleet

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "fleet-file.md"


def test_the_examples_of_the_how_to_page_are_valid_and_assign_what_they_say() -> None:
    examples = re.findall(r"```yaml\n(kind: .*?)```", PAGE.read_text(), re.DOTALL)
    fleet = Fleet(verify.applied({}, documents.read("---\n".join(examples), PAGE.name)))
    assert fleet.for_node("check", "web-1") == ["disk-root"]
    assert fleet.for_node("log", "web-1") == ["auth"]
    assert fleet.checked_from("web-1") == ["switch-1"]
    assert verify.warnings(fleet) == []


def test_the_assigns_of_the_how_to_page_are_understood() -> None:
    assigns = re.findall(r"^assign: .*", PAGE.read_text(), re.MULTILINE)
    assert len(assigns) >= 2
    for number, assign in enumerate(assigns):
        text = f"{{kind: check, name: c{number}, plugin: load, {assign}}}"
        assert verify.applied({}, documents.read(text))
