"""The table that a part prints: what was measured, our figure, the peer's from the same run, the bar, and whether it is met."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure. `bar` limits ours; `beside` is how many times the peer's it must be (1: not behind). `less`: less is better."""

    what: str
    ours: float
    peer: float | None = None
    bar: float | None = None
    beside: float | None = None
    less: bool = False
    digits: int = 0

    @property
    def ahead(self) -> float | None:
        """How many times better ours is than the peer's; None without a peer."""
        if self.peer is None or not (self.peer and self.ours):
            return None
        return self.peer / self.ours if self.less else self.ours / self.peer

    @property
    def met(self) -> str:
        """yes, no, or – where there is no bar, or no peer to stand beside."""
        held = []
        if self.bar is not None:
            held.append(self.ours <= self.bar if self.less else self.ours >= self.bar)
        if self.beside is not None and self.ahead is not None:
            held.append(self.ahead >= self.beside)
        if not all(held):
            return "no"
        return "yes" if held and (self.beside is None or self.ahead is not None) else "–"

    def cells(self) -> list[str]:
        """Return the cells of its line."""
        bars = []
        if self.bar is not None:
            bars.append(f"{'≤' if self.less else '≥'} {self.bar:,.{self.digits}f}")
        if self.beside is not None:
            bars.append("not behind" if self.beside == 1 else f"≥ {self.beside:g} × as good")
        return [
            self.what, _figure(self.ours, self.digits), _figure(self.peer, self.digits),
            _figure(self.ahead, 2), ", ".join(bars) or "–", self.met,
        ]  # fmt: skip


def text(title: str, peer: str | None, rows: Iterable[Row]) -> str:
    """Return the table; `peer` names who stands beside us, with its version."""
    lines = [
        f"| {title} | Nodeward | {peer or 'no peer'} | times better | bar | met |",
        "| --- | ---: | ---: | ---: | --- | --- |",
    ]
    lines += [f"| {' | '.join(row.cells())} |" for row in rows]
    return "\n".join(lines)


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
