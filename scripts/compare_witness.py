"""Hold our placement against that of the vendor's toolchain: device by node, verdict and segments by model.

usage: compare_witness.py [--march M]... [--only GLOB]... [--rewritten] [--random N | --cells N] [--seed S]
                          [--witness DIR] [--limit S] [--out FILE.csv]

The models are those of the shared corpus, as exported, with --rewritten as the default pipeline leaves them, or, with
--random, N generated networks, with --cells N networks of cells (cost_networks.py). Prints a line per model and every
difference, then per march the share of nodes on the same device, of models with the same verdict and with the same
number of segments. Nodes count where both take the model. Models that the toolchain is not done with after --limit
seconds are told and not counted. Answers are cached, so that a second call takes seconds.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import asking
import corpus
import cost_networks
import onnx
from random_networks import network

import surgery
from surgery.errors import SurgeryError
from surgery.report.check import CheckDocument
from surgery.report.witness import WitnessCheck
from surgery.toolchain import Witness
from surgery.toolchain.refusal import Kind
from surgery.toolchain.witness import CHECK_SECONDS


class Compared(NamedTuple):
    """One model on one march: the nodes compared, how many are placed alike, and both verdicts and segment counts.

    ``said`` is the toolchain's refusal or ours, ``differ`` has a line per node placed differently; ``answered`` is
    false where the toolchain was not done in time.
    """

    model: str
    march: str
    nodes: int = 0
    same: int = 0
    ours: bool = False
    theirs: bool = False
    our_segments: int = 0
    segments: int = 0
    said: str = ""
    differ: tuple[str, ...] = ()
    answered: bool = True

    @property
    def both(self) -> bool:
        """Whether both take the model."""
        return self.ours and self.theirs


class Subject(NamedTuple):
    """A model to be compared: its file, and the shapes of its inputs where these are not in it."""

    name: str
    path: Path
    shapes: dict[str, tuple[int, ...]]


def compare(subject: Subject, march: str, witness: Witness) -> Compared:
    """Ask both."""
    begun = Compared(subject.name, march)
    try:
        document = surgery.check(subject.path, march=march, input_shape=subject.shapes or None, witness=witness)
    except SurgeryError as error:
        answer = witness.check(subject.path, march, shapes=subject.shapes or None)
        refused = f"ours: {' '.join(str(error).split())[:150]}"
        return begun._replace(theirs=answer.refusal is None, said=refused, answered=_answered(answer.refusal))
    assert document.witness is not None
    side = document.witness.side
    if side.refusal == Kind.TIMEOUT:
        return begun._replace(answered=False, said=side.reason)
    reason = f"theirs: {side.reason}" if side.reason else "; ".join(_refusals(document))
    begun = begun._replace(ours=document.accepted, theirs=side.accepted, said=reason)
    if not begun.both:
        return begun
    found = document.witness
    return begun._replace(
        nodes=found.agreed + len(found.disagreements),
        same=found.agreed,
        our_segments=document.summary.segments,
        segments=side.segments,
        differ=tuple(_differences(document, found)),
    )


def _answered(refusal: object) -> bool:
    return getattr(refusal, "kind", None) is not Kind.TIMEOUT


def _refusals(document: CheckDocument) -> Iterator[str]:
    yield from (f"ours: {refusal.rule} {refusal.found}" for refusal in document.refusals)
    for row in document.on("refused")[:3]:
        yield f"ours: {row.op} {', '.join(v.constraint for v in row.violations)}"


def _differences(document: CheckDocument, found: WitnessCheck) -> Iterator[str]:
    rows = {row.name: row for row in document.nodes}
    for each in found.disagreements:
        row = rows[each.name]
        why = ", ".join(v.constraint for v in row.violations) or row.note
        yield f"{each.op} {each.name}: ours {each.ours}{f' ({why})' if why else ''}, theirs {each.theirs}"


def subjects(options: argparse.Namespace, folder: Path, march: str) -> Iterator[Subject]:
    """The models, made one at a time."""
    if options.random or options.cells:
        kind, make = ("random", network) if options.random else ("cells", cost_networks.network)
        for number in range(options.seed, options.seed + (options.random or options.cells)):
            path = folder / f"{number}.onnx"
            onnx.save(make(number), path)
            yield Subject(f"{kind}/{number}", path, {})
            path.unlink()
        return
    for item in corpus.items(options.only or ["*"], large=options.large):
        if not options.rewritten:
            yield Subject(item.name, item.filled(), item.shapes)
        elif (made := _rewritten(item, folder, march)) is not None:
            yield made
            made.path.unlink()


def _rewritten(item: corpus.Item, folder: Path, march: str) -> Subject | None:
    """What the default pipeline makes of a model; None where it cannot be read."""
    try:
        done = surgery.run(item.filled(), march=march, verify="off", input_shape=item.shapes)
    except SurgeryError:
        return None
    path = folder / f"{item.name.replace('/', '__')}.onnx"
    done.save(path)
    return Subject(item.name, path, {})


def main() -> int:
    """Compare; exit with 2 when there is no toolchain."""
    parser = corpus.arguments(__doc__)
    asking.arguments(parser)
    parser.add_argument("--rewritten", action="store_true", help="as the default pipeline leaves the models")
    made = parser.add_mutually_exclusive_group()
    made.add_argument("--random", type=int, default=0, metavar="N", help="N generated networks instead")
    made.add_argument("--cells", type=int, default=0, metavar="N", help="N networks of cells instead")
    parser.add_argument("--seed", type=int, default=0, help="of the first generated network")
    parser.add_argument("--limit", type=float, default=CHECK_SECONDS, help="seconds that a check may take")
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="write the rows there")
    options = parser.parse_args()
    if not (options.random or options.cells):
        corpus.need_corpus()
    return asking.asked(options.witness, partial(_compare, options), options.limit)


def _compare(options: argparse.Namespace, witness: Witness) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for march in options.march or asking.MARCHES:
            for subject in subjects(options, Path(folder), march):
                rows.append(compare(subject, march, witness))
                _print(rows[-1])
    _totals(rows)
    if options.out:
        _write(options.out, rows)


def _print(row: Compared) -> None:
    if not row.answered:
        print(f"{row.model:50.50} {row.march:10} no answer: {row.said}", flush=True)
        return
    verdict = "same verdict" if row.ours == row.theirs else "VERDICT DIFFERS"
    said = f" ({row.said})" if row.said and not row.both else ""
    segments = "" if row.our_segments == row.segments else f", SEGMENTS {row.our_segments} theirs {row.segments}"
    print(f"{row.model:50.50} {row.march:10} {row.same}/{row.nodes} {verdict}{said}{segments}", flush=True)
    for line in row.differ:
        print(f"    {line}", flush=True)


def _totals(rows: Iterable[Compared]) -> None:
    counts: dict[str, Counter[str]] = {}
    for row in (row for row in rows if row.answered):
        both, alike = row.both, row.our_segments == row.segments
        said = {
            "models": 1,
            "verdicts": int(row.ours == row.theirs),
            "both": int(both),
            "segments": int(both and alike),
        }
        counts.setdefault(row.march, Counter()).update(said | {"nodes": row.nodes, "same": row.same})
    for march, count in counts.items():
        print(
            f"{march}: {count['same']} of {count['nodes']} nodes alike ({_share(count['same'], count['nodes'])}), "
            f"verdict alike on {count['verdicts']} of {count['models']} models, segments on {count['segments']} of "
            f"{count['both']} ({_share(count['segments'], count['both'])})"
        )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "–"


def _write(path: Path, rows: Iterable[Compared]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Compared._fields)
        table.writerows([*row[:-2], " | ".join(row.differ), int(row.answered)] for row in rows)


if __name__ == "__main__":
    sys.exit(main())
