"""The declarations of the built-in plugins' arguments, and their pages."""

from pathlib import Path

import pytest

from nodeward.core import checks
from nodeward.core.errors import BadInput

PAGES = Path(__file__).resolve().parents[3] / "docs" / "checks"


@pytest.mark.parametrize("plugin", checks.ARGUMENTS)
def test_every_argument_has_a_sentence_and_an_example_that_is_valid(plugin):
    model = checks.ARGUMENTS[plugin]
    required = {name: field.examples[0] for name, field in model.model_fields.items() if field.is_required()}
    for name, field in model.model_fields.items():
        assert field.description
        assert field.description.endswith(".")
        for example in field.examples:
            extra = {"name": "sshd"} if plugin == "process" else {}
            model.model_validate({**extra, **required, name: example})


@pytest.mark.parametrize("plugin", checks.ARGUMENTS)
def test_every_plugin_has_a_page_that_lists_every_argument(plugin):
    page = (PAGES / f"{plugin}.md").read_text()
    for name in checks.ARGUMENTS[plugin].model_fields:
        assert f"| `{name}` |" in page, f"docs/checks/{plugin}.md says nothing about {name}"


def test_every_fault_is_told_at_once_with_its_place():
    found = checks.faults("disk", {"path": 1, "warning": "x", "foo": 2}, "checks[0]")
    assert [fault.path for fault in found] == ["checks[0].args.path", "checks[0].args.warning", "checks[0].args.foo"]
    assert "there is no built-in plugin 'nix'" in checks.faults("nix", {})[0].message
    assert "at least one of" in checks.faults("process", {})[0].message
    with pytest.raises(BadInput, match="arguments of plugin 'tcp'"):
        checks.arguments("tcp", {})


def test_arguments_come_with_their_defaults():
    args = checks.arguments("disk", {"path": "/srv"})
    assert args.path == ["/srv"]
    assert str(args.critical) == "90"
