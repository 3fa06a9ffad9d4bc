"""A server explains itself: its OpenAPI document, with who may call what and an example of each call, and the page made of it.

The examples lie beside the code of each room (`examples.json`); `tests/programs/test_openapi.py` runs every one of them against
real servers, and `script/openapi-examples` writes their answers anew.
"""

import importlib.resources
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flask import Flask, Response, render_template_string
from flask_openapi3 import OpenAPI

Doc = dict[str, Any]
Needed = Callable[[Any], tuple[str, ...] | None]

POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
ROOMS = ("core", "supervise")  # whose routes every server has
METHODS = ("get", "put", "post", "delete", "patch")
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
}


def mount(app: OpenAPI, role: str, title: str, needed: Needed) -> None:
    """Make the document complete and add the page. `needed` returns the roles that a view needs."""
    made: dict[str, Doc] = {}

    def document() -> Doc:
        if "document" not in made:
            made["document"] = complete(app, app.api_doc, examples(role), needed)
        return made["document"]

    app.view_functions["openapi.doc_url"] = document

    @app.route("/api/v1/docs")
    def docs() -> Response:
        return page(document(), title, "/api/v1/openapi.json")

    @app.route("/api/v1/docs.css")
    def docs_style() -> Response:
        return Response(_resource("core", "docs.css"), content_type="text/css; charset=utf-8")

    for view in (docs, docs_style):
        view.needs = ()  # type: ignore[attr-defined]


def page(document: Doc, title: str, where: str, others: Sequence[tuple[str, str, bool]] = ()) -> Response:
    """Return a document as a page; `where` is its URL, `others` are the pages beside it: (title, URL, is it this one?)."""
    text = _resource("core", "docs.html.j2")
    shown = render_template_string(text, title=title, where=where, others=others, calls=list(calls(document)))
    return Response(shown, headers={"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"})


def examples(role: str) -> dict[str, Doc]:
    """Return the examples of a role's calls, each by ``METHOD /path``."""
    found: dict[str, Doc] = {}
    for room in (*ROOMS, role):
        found |= json.loads(_resource(room, "examples.json"))
    return found


def complete(app: Flask, document: Doc, known: dict[str, Doc], needed: Needed) -> Doc:
    """Return the document with `x-needs` and the example of each call."""
    roles = {path: needed(app.view_functions[rule.endpoint]) for path, rule in _rules(app)}
    for path, method, operation in operations(document):
        operation["x-needs"] = roles[f"{method} {path}"]
        if example := known.get(f"{method} {path}"):
            _show(operation, example)
    return document


def operations(document: Doc) -> Iterator[tuple[str, str, Doc]]:
    """Yield path, method and operation of each call."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield path, method.upper(), operation


def _rules(app: Flask) -> Iterator[tuple[str, Any]]:
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        for method in rule.methods or ():
            yield f"{method} {path}", rule


def _show(operation: Doc, example: Doc) -> None:
    for parameter in operation.get("parameters", []):
        given = {**example.get("path", {}), **example.get("query", {})}
        if parameter["name"] in given:
            parameter["example"] = given[parameter["name"]]
    kind = example.get("type", "application/json")
    if "body" in example:
        content = operation.setdefault("requestBody", {}).setdefault("content", {}).setdefault(kind, {})
        content["example"] = example["body"]
    status = str(example["status"])
    answer = operation["responses"].setdefault(status, {"description": "As in the example"})
    answer.setdefault("content", {}).setdefault(example.get("answer_type", "application/json"), {})["example"] = (
        example["answer"]
    )


def calls(document: Doc) -> Iterator[Doc]:
    """Yield each call as the page shows it."""
    for path, method, operation in operations(document):
        needs = operation["x-needs"]
        yield {
            "id": f"{method.lower()}-{re.sub('[^a-z0-9]+', '-', path.lower()).strip('-')}",
            "method": method, "path": path, "short": path.removeprefix("/api/v1"),
            "summary": f"{operation.get('summary', '').rstrip('.?')}{'?' if operation.get('summary', '').endswith('?') else '.'}",
            "description": operation.get("description", ""),
            "who": f"For {' or '.join(needs)}, and whoever reaches further." if needs else "For anyone: no token is needed.",
            "fields": [*_parameters(operation), *_body(document, operation)],
            "examples": list(_examples(path, method, operation)),
        }  # fmt: skip


def _parameters(operation: Doc) -> Iterator[Doc]:
    for each in operation.get("parameters", []):
        yield _field(
            each["name"], each["in"], each.get("required", False), each.get("schema", {}), each.get("description")
        )


def _body(document: Doc, operation: Doc) -> Iterator[Doc]:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = _resolved(document, content.get("schema", {}))
        for name, each in schema.get("properties", {}).items():
            yield _field(name, "body", name in schema.get("required", []), each, each.get("description"))


def _field(name: str, place: str, required: bool, schema: Doc, means: str | None) -> Doc:
    return {"name": name, "place": place, "required": required, "takes": _takes(schema), "means": means or ""}


def _resolved(document: Doc, schema: Doc) -> Doc:
    if "$ref" in schema:
        found: Doc = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        return found
    return schema


def _takes(schema: Doc) -> str:
    """Return in a few words what a value may be."""
    if "enum" in schema or "const" in schema:
        return ", ".join(str(each) for each in schema.get("enum", [schema.get("const")]))
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[-1])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_takes(each) for each in schema["anyOf"] if each.get("type") != "null"))
    if schema.get("type") == "array":
        return f"list of {_takes(schema.get('items', {}))}"
    words = TYPES.get(str(schema.get("type")), "anything")
    return words if schema.get("default") is None else f"{words}, by default {schema['default']}"


def _examples(path: str, method: str, operation: Doc) -> Iterator[Doc]:
    given = {each["name"]: each for each in operation.get("parameters", []) if "example" in each}
    for status, answer in operation["responses"].items():
        for kind, content in answer.get("content", {}).items():
            if "example" in content:
                yield {
                    "request": _request(path, method, given, operation),
                    "answer": f"HTTP {status}   {kind}\n\n{_text(content['example'])}",
                }


def _request(path: str, method: str, given: dict[str, Doc], operation: Doc) -> str:
    for name, each in given.items():
        if each["in"] == "path":
            path = path.replace(f"{{{name}}}", urllib.parse.quote(str(each["example"])))
    query = {name: each["example"] for name, each in given.items() if each["in"] == "query"}
    line = f"{method} {path}{'?' + urllib.parse.urlencode(query, doseq=True) if query else ''}"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if "example" in content:
            return f"{line}\nContent-Type: {kind}\n\n{_text(content['example'])}"
    return line


def _text(example: Any) -> str:
    return example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)


def _resource(room: str, name: str) -> str:
    return importlib.resources.files(f"nodeward.{room}").joinpath(name).read_text()
