"""Write the tables of docs/efficiency.md from data/efficiency.

efficiency_families.py, group_choices.py and stem_choices.py wrote that.

usage: efficiency_table.py [--check]

With ``--check`` it writes nothing and exits 1 if the page is not current.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import efficiency_families as families
import group_choices
import page
import stem_choices

HEAD = "| family | model | form | layers | MMACs | weights, k | us | all dense, us | compute | loading | compiled |"
PAGE = Path(__file__).resolve().parents[1] / "docs/efficiency.md"


def main() -> int:
    """Write the tables, or say whether they are current."""
    return page.write(PAGE, "efficiency_table.py", "\n".join(lines()) + "\n")


def lines() -> Iterator[str]:
    """A table of the families per march, one of layers in other groups, and one of stems."""
    rows = families.read()
    for march in dict.fromkeys(row.march for row in rows):
        yield f"### Families on {march}\n"
        yield HEAD
        yield "|---|---|---|--:|--:|--:|--:|--:|--:|--:|---|"
        mine = [row for row in rows if row.march == march]
        yield from map(_family, mine)
        yield ""
        yield from (
            _together([row for row in mine if row.form == form]) for form in dict.fromkeys(r.form for r in mine)
        )
        yield ""
    yield from _choices(group_choices.read())
    yield from _stems(stem_choices.read())


def _family(row: families.Line) -> str:
    work = f"{row.macs * 1e-6:.0f} | {row.parameters * 1e-3:.0f} | {row.us:.0f}"
    dense = "" if row.us == row.dense_us else f"{row.dense_us:.0f}"
    shares = f"{100 * row.compute:.1f} % | {100 * row.loading:.1f} %"
    name = row.model.partition("/")[2]
    return f"| {row.family} | {name} | {row.form} | {row.layers} | {work} | {dense} | {shares} | {_compiled(row)} |"


def _compiled(row: families.Line) -> str:
    """How far off the estimate is, of how many layers."""
    if not row.compared:
        return ""
    off = f"{100 * (row.compared_us / row.compiled_us - 1):+.0f} %"
    return f"{row.compiled_us:.0f} us ({off})" + (f", {row.compared} layers" if row.compared < row.layers else "")


def _together(rows: Sequence[families.Line]) -> str:
    """How far off the estimate is of all compiled layers of a form, and of those of the worst model."""
    told = [row for row in rows if row.compared]
    layers, estimated, compiled = (sum(getattr(r, n) for r in told) for n in ("compared", "compared_us", "compiled_us"))
    errors = [row.compared_us / row.compiled_us - 1 for row in told]
    off, worst = estimated / compiled - 1, max(errors, key=abs)
    return f"- {rows[0].form}: {layers} compiled layers, estimate {100 * off:+.0f} %, worst model {100 * worst:+.0f} %"


def _choices(rows: Sequence[group_choices.Choice]) -> Iterator[str]:
    yield "### The same channels in other groups\n"
    yield "Microseconds that the layer computes: compiled (estimated).\n"
    groups = sorted({row.groups for row in rows})
    yield f"| march | kernel | stride | channels | side | {' | '.join(map(str, groups))} |"
    yield f"|---|--:|--:|--:|--:|{'--:|' * len(groups)}"
    layers: dict[tuple[str, group_choices.Size], dict[int, float]] = defaultdict(dict)
    for row in rows:
        layers[row.march, row.size][row.groups] = row.compiled_us
    for (march, size), compiled in layers.items():
        told = dict(zip(compiled, group_choices.estimated(march, size), strict=True))
        cells = (f"{compiled[n]:.0f} ({told[n]:.0f})" if n in told else "" for n in groups)
        yield f"| {march} | {' | '.join(map(str, size))} | {' | '.join(cells)} |"


def _stems(rows: Sequence[stem_choices.Stem]) -> Iterator[str]:
    yield "\n### Stems behind a SpaceToDepth\n"
    yield "Microseconds of a frame of the stem and two convolutions behind it: compiled (estimated).\n"
    yield "| march | kernel | channels | side | as it is | on 2x2 blocks |"
    yield "|---|--:|--:|--:|--:|--:|"
    told: dict[tuple[str, stem_choices.Size], list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.blocks):
        told[row.march, row.size].append(f"{row.compiled_us:.0f} ({row.estimated_us:.0f})")
    for (march, size), cells in told.items():
        yield f"| {march} | {' | '.join(map(str, size))} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
