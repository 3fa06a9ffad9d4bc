"""What the pages tell people to write is taken: every block of README and docs with a `kind:` is applied for real."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.registry_server import ROOT, RegistryServer
from nodeward.configserver import documents

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^( *)```(?:yaml|yml)?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)  # up to an empty line: what follows may be a command
KIND = re.compile(r"^(- \{)?kind: ", re.MULTILINE)


def blocks(text: str) -> list[str]:
    """Return the blocks of a page that are documents of a fleet file, in the page's order."""
    found = [(match.start(), textwrap.dedent(match[2])) for match in FENCED.finditer(text)]
    rest = FENCED.sub(lambda match: re.sub(r"[^\n]", "x", match[0]), text)
    found += [(match.start(), textwrap.dedent(match[0])) for match in INDENTED.finditer(rest)]
    return [block for _, block in sorted(found) if KIND.search(block)]


WITH_BLOCKS = [page for page in PAGES if blocks(page.read_text())]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A config server with the fleet that comes with the appliance, as a reader has it."""
    with RegistryServer(tmp_path_factory.mktemp("docs"), NODEWARD_NODE="local") as started:
        yield started


def test_the_pages_have_examples_and_all_are_found() -> None:
    assert len(WITH_BLOCKS) > 15
    lines = sum(len(re.findall(r"^ *(?:- \{)?kind: ", page.read_text(), re.MULTILINE)) for page in PAGES)
    documented = sum(len(list(documents.read(block))) for page in WITH_BLOCKS for block in blocks(page.read_text()))
    assert documented == lines


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_of_a_page_is_applied_in_the_page_s_order(server: RegistryServer, page: Path) -> None:
    for block in blocks(page.read_text()):
        outcome = server.apply(block, file=page.name)
        assert outcome["changes"] or outcome["revision"]
    for block in blocks(page.read_text()):
        for document in documents.read(block):
            kind, name = document.body["kind"], document.body["name"]
            assert server.admin.get(f"/api/v1/objects/{kind}/{name}")["name"] == name
