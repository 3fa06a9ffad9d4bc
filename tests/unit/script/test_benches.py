"""script/bench: which parts a name stands for, what a table says, and where it is written."""

import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "script"


@pytest.fixture(autouse=True)
def _script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(SCRIPT), *sys.path])


@pytest.mark.parametrize(
    ("figure", "cells"),
    [
        ({"ours": 200, "peer": 100, "beside": 1}, ["200", "100", "2.00", "not behind", "yes"]),
        ({"ours": 90, "peer": 100, "beside": 1}, ["90", "100", "0.90", "not behind", "no"]),
        (
            {"ours": 40, "peer": 80, "bar": 50, "beside": 1, "less": True},
            ["40", "80", "2.00", "≤ 50, not behind", "yes"],
        ),
        (
            {"ours": 60, "peer": 80, "bar": 50, "beside": 1, "less": True},
            ["60", "80", "1.33", "≤ 50, not behind", "no"],
        ),
        ({"ours": 60, "peer": None, "beside": 1}, ["60", "–", "–", "not behind", "–"]),
        ({"ours": 60}, ["60", "–", "–", "–", "–"]),
        ({"ours": 0, "bar": 5, "less": True}, ["0", "–", "–", "≤ 5", "yes"]),
    ],
)
def test_a_row_says_how_far_ahead_we_are_and_whether_the_bar_is_met(
    figure: dict[str, object], cells: list[str]
) -> None:
    from bench_parts._table import Row

    assert Row("x", **figure).cells() == ["x", *cells]  # type: ignore[arg-type]


def test_a_name_stands_for_every_part_that_begins_so() -> None:
    import benches

    assert benches.named("logs") == ["logs_ship", "logs_store"]
    assert benches.named("search") == ["logs_store"]
    assert set(benches.parts()) >= {"checks", "fleet", "live", "monitor", "pipeline"}
    assert all(benches.subject(name) for name in benches.parts())
    with pytest.raises(SystemExit, match="There is no part nonsense"):
        benches.named("nonsense")


def test_a_table_takes_the_place_of_the_one_from_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import benches

    page = tmp_path / "benchmarks.md"
    monkeypatch.setattr(benches, "PAGE", str(page))
    for name, table in (("monitor", "| first |"), ("fleet", "| other |"), ("monitor", "| second |")):
        benches.write(name, table)
    text = page.read_text()
    assert text.startswith("# Benchmarks\n")
    assert "| first |" not in text
    assert text.count("## monitor") == text.count("| second |") == text.count("| other |") == 1
    assert "commit " in text
