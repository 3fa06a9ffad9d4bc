"""Fleet files: YAML (or JSON) documents, each an object, with the line where each begins."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from nodeward.core.errors import BadInput, Problem

MAX_BYTES = 16 * 1024 * 1024
MAX_NODES = 2_000_000  # in all, with every alias written out: aliases of aliases make gigabytes of a few lines
MAX_DEPTH = 50

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """One object as it was given: where (file, line, from 1) and what."""

    file: str
    line: int
    body: Any

    @property
    def where(self) -> str:
        """The place as people write it."""
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"


def read(text: str, file: str = "") -> list[Document]:
    """Given a fleet file's text, return its documents; a list of objects is as good as documents one after the other.

    Raise BadInput that says line and column if it is not YAML, or is made to be too large.
    """
    if len(text) > MAX_BYTES:
        raise BadInput(f"{file or 'The input'} has more than {MAX_BYTES // 1024 // 1024} MiB: apply it in pieces.")
    loader = _Loader(text)
    try:
        _not_too_deep(text)
        return list(_documents(loader, file))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise _not_yaml(file, where, f"{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _not_yaml(file, "", str(error) or type(error).__name__) from None
    finally:
        loader.dispose()


def _not_too_deep(text: str) -> None:
    """Raise ValueError if it is nested too deeply: libyaml builds nodes by recursion in C, where too deep ends the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")


def _documents(loader: Any, file: str) -> Iterator[Document]:
    total = 0
    while loader.check_node():
        node = loader.get_node()
        total += _size(node, {}, 0)
        if total > MAX_NODES:
            raise _not_yaml(file, f"line {node.start_mark.line + 1}", "its aliases stand for too much")
        each = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for one in each:
            _no_key_twice(one, file)
            body = loader.construct_document(one)
            if body is not None:
                yield Document(file, one.start_mark.line + 1, body)


def _size(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """Count the nodes with every alias written out, without writing them out."""
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    if id(node) not in known:
        known[id(node)] = 1 + sum(_size(child, known, depth + 1) for child in _children(node))
    return known[id(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value


def _no_key_twice(node: yaml.Node, file: str) -> None:
    """YAML forbids a key twice; the loader would take the last one in silence."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise _not_yaml(file, f"line {key.start_mark.line + 1}", f"the key '{key.value}' is there twice")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
    for child in _children(node):
        if not isinstance(child, yaml.ScalarNode):
            _no_key_twice(child, file)


def _not_yaml(file: str, where: str, why: str) -> BadInput:
    return BadInput(f"{file or 'The input'} is not YAML that can be read.", [Problem(where, why)])
