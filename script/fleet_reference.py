"""The page about every kind of object and every key, made of the declarations that verify them."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nodeward.configserver.assign import Assign
from nodeward.configserver.schema import KINDS, Match, Pattern, Probe
from nodeward.core import runbook
from nodeward.core.formats import Multiline
from nodeward.core.runbook_parameters import Parameter

PAGE = Path(__file__).resolve().parents[1] / "docs" / "fleet-reference.md"
PARTS: dict[str, type[BaseModel]] = {
    "Probe": Probe, "Assign": Assign, "Pattern": Pattern, "Multiline": Multiline, "Match": Match,
    **{part.__name__: part for part in (
        Parameter, runbook.Step, runbook.Turn, runbook.Case, runbook.Ssh, runbook.Copy, runbook.Place, runbook.Call,
        runbook.Ask, runbook.WaitFor, runbook.Retry,
    )},
}  # fmt: skip
WORDS = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "object": "keys and values",
}  # fmt: skip
HEAD = """# Fleet reference

Every kind of object and every key, as the config server verifies them. `script/fleet-reference` writes this page; how to
write such a file is told in [how-to/fleet-file.md](how-to/fleet-file.md), the plugins' arguments in [checks/](checks).

A duration is a number of seconds or text such as `90s`, `5m`, `1h30m`, `2d`. Where a list of names is wanted, one name is
as good. Keys in **bold** must be given.
"""


def main(arguments: list[str]) -> int:
    """Write the page, or with --check say whether it is current. Return the exit code."""
    if "--check" not in arguments:
        PAGE.write_text(page())
        return 0
    if PAGE.exists() and PAGE.read_text() == page():
        return 0
    print(f"{PAGE} is not what the declarations say; run script/fleet-reference.", file=sys.stderr)
    return 1


def page() -> str:
    """Return the page's text."""
    kinds = [section(f"kind: {name}", kind) for name, kind in KINDS.items()]
    return "\n".join([HEAD, *kinds, *(section(name, part) for name, part in PARTS.items())])


def section(title: str, model: type[BaseModel]) -> str:
    """Return a heading, what it is, and a table of its keys."""
    properties = model.model_json_schema()["properties"]
    rows = [
        row(key, model, properties[field.alias or key]) for key, field in model.model_fields.items() if key != "kind"
    ]
    said = (model.__doc__ or "").strip()
    return (
        f"## {title}\n\n{said}\n\n| key | takes | by default | example | meaning |\n| --- | --- | --- | --- | --- |\n"
        + "".join(rows)
    )


def row(key: str, model: type[BaseModel], schema: dict[str, Any]) -> str:
    """Return one key's line."""
    field = model.model_fields[key]
    shown = field.alias or key
    name = f"**`{shown}`**" if field.is_required() else f"`{shown}`"
    default = (
        ""
        if field.is_required() or field.default_factory or field.default in (None, "", [], {})
        else code(field.default)
    )
    example = code(field.examples[0]) if field.examples else ""
    cells = [name, takes(schema), default, example, field.description or ""]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def takes(schema: dict[str, Any]) -> str:
    """Return in a few words what a key takes."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(takes(each) for each in schema["anyOf"] if each.get("type") != "null"))
    kind = schema.get("type")
    if kind == "array":
        return f"list of {takes(schema.get('items', {}))}"
    if schema.get("title") == "Size":
        return "size"
    if isinstance(kind, list) or schema.get("title") == "Duration":
        return "duration"
    return WORDS.get(str(kind), "anything")


def code(value: Any) -> str:
    """Return a value as one would write it in a file."""
    return f"`{json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
