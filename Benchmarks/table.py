"""Results: one row per measurement, a table of all, and JSON."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Literal


@dataclass
class Row:
    """One measurement. `value` is what the goal is about: a ratio of ours to the reference, unless there is none."""

    line: str
    what: str
    ours: str
    reference: str
    value: float
    goal: str
    met: bool | None
    """None: not asked for, shown because it explains another row."""
    details: dict = field(default_factory=dict)
    note: str = ""
    """What else there is to say, for people."""

    def json(self) -> dict:
        return {**self.__dict__, "value": round(self.value, 4)}

    def count_instructions(self, ours: float | None, reference: float | None = None) -> Row:
        """Adds instructions in user space; none where they were not counted."""
        counts = {"ours": ours, "reference": reference}
        if ours is not None:
            self.details["instructions"] = {side: round(count, 1) for side, count in counts.items() if count is not None}
        return self

    def instructions(self) -> str:
        return " / ".join(number(count, whole=True) for count in self.details.get("instructions", {}).values())


def ratio_row(
    line: str, what: str, pairs: list[tuple[float, float]], unit: str, goal: float | None, better: Literal["more", "less"],
    **details,
) -> Row:  # fmt: skip
    """A row from (ours, reference) of each round; the ratio is the median of the rounds' ratios."""
    ratio = statistics.median(ours / reference for ours, reference in pairs)
    met = None if goal is None else ratio >= goal if better == "more" else ratio <= goal
    text = "" if goal is None else f"{'≥' if better == 'more' else '≤'} {goal:g} ×"
    ours, reference = (statistics.median(column) for column in zip(*pairs))
    return Row(
        line, what, f"{number(ours)} {unit}", f"{number(reference)} {unit}", ratio, text, met,
        {"ours": ours, "reference": reference, "unit": unit, "rounds": len(pairs), **details},
    )  # fmt: skip


def limit_row(line: str, what: str, value: float, unit: str, limit: float | None, better: str = "less", **details) -> Row:
    """A row that is held against a number."""
    met = None if limit is None else value <= limit if better == "less" else value >= limit
    goal = "" if limit is None else f"{'≤' if better == 'less' else '≥'} {number(limit)} {unit}"
    return Row(line, what, f"{number(value)} {unit}", "", value, goal, met, {"ours": value, "unit": unit, **details})


def number(value: float, whole: bool = False) -> str:
    """Three significant digits, and no exponent."""
    if value == 0:
        return "0"
    if whole or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def render(rows: list[Row]) -> str:
    lines = [("line", "what", "ours", "reference", "ratio", "goal", "met", "instr. ours / C", "note")]
    for row in rows:
        ratio = f"{row.value:.2f}" if row.reference else ""
        met = {True: "yes", False: "NO", None: ""}[row.met]
        lines.append((row.line, row.what, row.ours, row.reference, ratio, row.goal, met, row.instructions(), row.note))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = []
    for place, line in enumerate(lines):
        cells = [
            cell.rjust(width) if column in (2, 3, 4, 7) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ]
        text.append("  ".join(cells).rstrip())
        if place == 0:
            text.append("  ".join("-" * width for width in widths))
    return "\n".join(text)
