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


@pytest.mark.parametrize("letter", ["\r", "\n", "\0", "\x7f", "\x85", "\t"])
@pytest.mark.parametrize(
    ("plugin", "args", "where"),
    [
        ("http", {"url": "http://www.example.net/ HTTP/1.1{}X: y"}, "args.url"),
        ("http", {"url": "/", "headers": {"X": "y{}Z: 1"}}, "args.headers.X"),
        ("tcp", {"host": "db-1{}", "port": 22}, "args.host"),
        ("ping", {"host": "db-1{}"}, "args.host"),
        ("clock", {"server": "ntp{}.example.net"}, "args.server"),
        ("dns", {"name": "www{}.example.net"}, "args.name"),
        ("dns", {"name": "www.example.net", "server": "10.0.0.53{}"}, "args.server"),
        ("certificate", {"server_name": "www{}.example.net"}, "args.server_name"),
    ],
)
def test_what_goes_over_a_wire_holds_no_control_characters(plugin, args, where, letter):
    (fault,) = checks.faults(plugin, filled(args, letter))
    assert fault.path == where
    assert "must not hold control characters" in fault.message and ascii(letter)[1:-1] in fault.message
    assert letter not in fault.message
    assert checks.faults(plugin, filled(args, "")) == []


def filled(value, letter):
    if isinstance(value, dict):
        return {name: filled(part, letter) for name, part in value.items()}
    return value.replace("{}", letter) if isinstance(value, str) else value


@pytest.mark.parametrize("name", ["", "X Y", "X:", "X\r\nY", "Ä"])
def test_a_header_has_a_name_that_is_one(name):
    (fault,) = checks.faults("http", {"url": "/", "headers": {name: "y"}})
    assert "is no name of a header" in fault.message and "\n" not in fault.message


def test_what_tcp_sends_and_http_posts_may_hold_lines():
    assert checks.faults("tcp", {"port": 25, "send": "QUIT\r\n"}) == []
    assert checks.faults("http", {"url": "/", "method": "POST", "body": "a\r\nb"}) == []
