"""Compiled latency before and after the default pipeline, as the vendor's toolchain has it.

usage: compiled_gain.py [--march M]... [--only GLOB]... [--without PASS]... [--add PASS]... [--set PASS.FIELD=VALUE]...
                        [--on-request] [--level O2] [--limit S] [--out FILE.csv]

Models of the shared corpus are compiled as exported and after `surgery run`; with --without, before is what comes out
without these passes, which shows what they are worth. So does --add of passes that run when asked for: before is what
the default pipeline makes, after has these passes, too, under the options of --set. With --on-request the operators
that the march runs on request are asked onto the BPU, before and after. Prints a line each, then per march how many are
taken before and after, the geometric mean and the worst of after over before of those that are taken both times, and
whose segments grew. The latency is that of the BPU, summed over segments; operators on the CPU are counted, not timed,
but in this project's own estimate of the whole, which stands beside. --out writes the table, and goes on where it ends.
Exits with 1 when a model became slower by 2 % or has more segments.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import corpus
import numpy as np

import surgery
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.report.base import Span
from surgery.report.witness import WitnessSide
from surgery.target import load_target
from surgery.toolchain import Witness
from surgery.toolchain.install import MARCHES

SLOWER = 1.02


class Row(NamedTuple):
    """One model on one march: latency in us ("" where refused), segments and CPU rows, before and after.

    ``before_ms`` and ``after_ms`` are this project's estimates of the whole, host included.
    """

    model: str
    march: str
    before_us: str = ""
    after_us: str = ""
    before_segments: int = 0
    after_segments: int = 0
    before_cpu: int = 0
    after_cpu: int = 0
    before_ms: str = ""
    after_ms: str = ""
    guilty: str = ""
    reason: str = ""

    @property
    def ratio(self) -> float | None:
        """After over before; None where one was refused or has nothing on the BPU."""
        if not self.before_us or not self.after_us or not float(self.before_us):
            return None
        return float(self.after_us) / float(self.before_us)


class Asked(NamedTuple):
    """The passes that before is ``without``, those that after has in addition, and options by ``PASS.FIELD``."""

    without: Sequence[str] = ()
    add: Sequence[str] = ()
    options: Mapping[str, str] = {}


def measured(
    witness: Witness, item: corpus.Item, march: str, asked: Asked, *, on_request: bool, level: str, limit: float
) -> Row:
    """Run the default pipeline on a model, and have both compiled."""
    worth = bool(asked.without or asked.add)
    try:
        path: Any = item.filled()
        held = {node.op for node in Model.load(path).nodes()}
        on_bpu = [op for op in load_target(march).on_request if op in held] if on_request else []
        if worth:
            path = surgery.run(path, march=march, skip=asked.without, verify="off", input_shape=item.shapes).model
        done = surgery.run(
            path, march=march, add=asked.add, set_=asked.options, verify="off", run_on_bpu=on_bpu,
            input_shape={} if worth else item.shapes, witness=witness, witness_level=level, witness_limit=limit,
        )  # fmt: skip
    except SurgeryError as error:
        return Row(item.name, march, reason=" ".join(str(error).split())[:200])
    found = done.report.witness
    assert found is not None
    before, after = found.before, found.after
    reasons = [f"{side.refusal} {side.reason}"[:120] for side in (before, after) if side.refusal]
    times = (_ms(done.report.before.latency_ms), _ms(done.report.after.latency_ms))
    return Row(
        item.name, march, _us(before), _us(after), before.segments, after.segments, len(before.cpu), len(after.cpu),
        *times, found.guilty, "; ".join(reasons),
    )  # fmt: skip


def _ms(span: Span | None) -> str:
    return "" if span is None else f"{span.mid:.3g}"


def _us(side: WitnessSide) -> str:
    return "" if not side.accepted or side.latency_us is None else f"{side.latency_us:.1f}"


def read(path: Path | None) -> list[Row]:
    """The rows of a table that is there already."""
    if path is None or not path.exists():
        return []
    with path.open(newline="") as file:
        counts = [name for name, default in Row._field_defaults.items() if default == 0]
        return [_row(line, counts) for line in csv.DictReader(file)]


def _row(line: dict[str, str], counts: list[str]) -> Row:
    fields: dict[str, Any] = {**line, **{name: int(line[name]) for name in counts}}
    return Row(**fields)


def write(path: Path | None, rows: Iterable[Row]) -> None:
    """Write the table."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([Row._fields, *rows])


def totals(rows: Iterable[Row], march: str) -> tuple[str, bool]:
    """A line about a march, and whether anything became worse on it."""
    mine = [row for row in rows if row.march == march]
    both = [(row.ratio, row) for row in mine if row.ratio is not None]
    grown = [row.model for row in mine if row.before_us and row.after_us and row.after_segments > row.before_segments]
    taken = f"{march}: {len(mine)} models, taken {sum(bool(r.before_us) for r in mine)} before"
    taken += f" and {sum(bool(r.after_us) for r in mine)} after"
    if not both:
        return taken, False
    worst, row = max(both)
    mean = np.exp(np.mean([np.log(ratio) for ratio, _ in both]))
    more = f"; more segments: {', '.join(grown)}" if grown else ""
    line = f"{taken}; after over before of {len(both)}: {mean:.3f}, worst {worst:.3f} ({row.model}){more}"
    return line, worst > SLOWER or bool(grown)


def main() -> int:
    """Measure; exit with 1 when something became worse."""
    corpus.need_corpus()
    parser = corpus.arguments(__doc__)
    parser.add_argument("--march", action="append", help=f"repeatable; by default {', '.join(MARCHES)}")
    parser.add_argument("--without", action="append", default=[], help="passes that before is without", metavar="PASS")
    parser.add_argument("--add", action="append", default=[], help="passes that after has, too", metavar="PASS")
    parser.add_argument("--set", action="append", default=[], help="an option of after", metavar="PASS.FIELD=VALUE")
    parser.add_argument("--on-request", action="store_true", help="ask for what the march runs on request, too")
    parser.add_argument("--level", default="O2", help="of the compiler")
    parser.add_argument("--limit", type=float, default=900, help="seconds that it may compile a model")
    parser.add_argument("--out", type=Path, help="write the table there", metavar="FILE.csv")
    options = parser.parse_args()
    asked = Asked(options.without, options.add, dict(text.partition("=")[::2] for text in options.set))
    corpus.CACHE.mkdir(parents=True, exist_ok=True)
    rows = read(options.out)
    known = {(row.model, row.march) for row in rows}
    marches = options.march or MARCHES
    try:
        with Witness() as witness:
            for march in marches:
                for item in corpus.items(options.only or ["models/*"], large=options.large):
                    if (item.name, march) in known:
                        continue
                    rows.append(
                        measured(
                            witness, item, march, asked, on_request=options.on_request,
                            level=options.level, limit=options.limit,
                        )
                    )  # fmt: skip
                    print(*rows[-1], f"{rows[-1].ratio or 0:.3f}", flush=True)
                    write(options.out, rows)
    except SurgeryError as error:
        print(error, file=sys.stderr)
        return 2
    found = [totals(rows, march) for march in marches]
    print(*(line for line, _ in found), sep="\n")
    return int(any(worse for _, worse in found))


if __name__ == "__main__":
    sys.exit(main())
