"""Does the estimate know which of two models is faster? Pieces of models before and after our own passes, compiled.

usage: cost_pairs.py [--march M]... [--pairs N] [--seed FIRST] [--limit S] [--out FILE.csv] [--witness DIR]

A pair is, by turns, a random network (random_networks.py) or a piece of 10 to 40 nodes of a model of the shared corpus
at an opset of the toolchain, and what the default pipeline makes of it without a random third of its passes. Pairs that
no pass changes are drawn again. Both are compiled by the vendor's toolchain at O2. Prints per march how many pairs it
takes, how many of them changed by more than 2 % of the time before, and the share of these whose sign the
estimate has, with every one that it has not: of what the compiler counts, which is `bpu_ms` without starting segments.
--seed begins with other pairs. --out writes the table, and goes on where it ends.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import asking
import corpus
import csv_rows
import numpy as np
import onnx
from pieces import piece
from random_networks import network

import surgery
from surgery.cost import estimate
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.target import load_target, place
from surgery.toolchain import Answer, Witness

CHANGE = 0.02
"""A change that counts, of the time before."""
LEFT_OUT = 1 / 3
"""Share of the default passes that a pair is made without."""
DOOR = ("fold-constants", "lower-opset")
"""Passes without which the toolchain takes few models."""
KEPT = {*DOOR, "remove-noops"}
"""Passes that no pair is made without: others have to run after them."""


class Pair(NamedTuple):
    """Microseconds on the BPU before and after, predicted and as compiled (0 where the toolchain refused)."""

    march: str
    seed: int
    model: str
    predicted_before: float
    predicted_after: float
    compiled_before: float
    compiled_after: float
    reason: str = ""

    @property
    def change(self) -> float:
        """After over before, less one, as compiled; 0 where there are not both."""
        both = self.compiled_before and self.compiled_after
        return self.compiled_after / self.compiled_before - 1 if both else 0.0

    @property
    def right(self) -> bool:
        """Whether the estimate moves the same way."""
        return (self.predicted_after - self.predicted_before) * self.change > 0

    def __str__(self) -> str:
        predicted = f"{self.predicted_before:.1f} -> {self.predicted_after:.1f}"
        compiled = f"{self.compiled_before:.1f} -> {self.compiled_after:.1f}"
        return f"{self.march} {self.seed} {self.model}: predicted {predicted}, compiled {compiled} us {self.reason}"


def before_of(seed: int, rng: np.random.Generator, march: str) -> tuple[str, Model] | None:
    """The model of a seed, with its name."""
    names = sorted(item.name for item in _items())
    if seed % 2 == 0 or not names:
        return "random", Model.load(network(seed))
    name = names[int(rng.integers(len(names)))]
    whole = _static(name, march)
    found = piece(whole, rng) if whole is not None else None
    return None if found is None else (name, Model.load(found))


@cache
def _items() -> tuple[corpus.Item, ...]:
    return tuple(corpus.items(["models/*"])) if corpus.CORPUS.is_dir() else ()


@cache
def _static(name: str, march: str) -> onnx.ModelProto | None:
    """A model of the corpus, static, folded and at an opset of the toolchain; None where that cannot be."""
    item = next(item for item in _items() if item.name == name)
    try:
        steps = surgery.Pipeline.of(*DOOR)
        done = surgery.run(item.filled(), march=march, pipeline=steps, verify="off", input_shape=item.shapes)
    except SurgeryError:
        return None
    return done.model.to_proto()


def pair(witness: Witness, march: str, seed: int, limit: float) -> Pair | None:
    """The pair of a seed; None where there is no such model or no pass changes it."""
    rng = np.random.default_rng(seed)
    found = before_of(seed, rng, march)
    if found is None:
        return None
    name, before = found
    steps = surgery.Pipeline.default(march).steps
    skip = [step.id for step in steps if step.id not in KEPT and rng.random() < LEFT_OUT]
    done = surgery.run(before, march=march, skip=skip, verify="off")
    if not done.report.edits:
        return None
    then, now = (_predicted(model, march) for model in (before, done.model))
    first, second = (witness.compile(model, march, limit=limit) for model in (before, done.model))
    reason = "; ".join(a.refusal.text[:80] for a in (first, second) if a.refusal is not None)
    return Pair(march, seed, name, then, now, _compiled(first), _compiled(second), reason)


def _predicted(model: Model, march: str) -> float:
    return round(1000 * estimate(place(model, load_target(march))).compiler_ms.mid, 2)


def _compiled(answer: Answer) -> float:
    return 0.0 if answer.performance is None else answer.performance.latency_us


def summary(pairs: Iterable[Pair], march: str) -> Iterator[str]:
    """Lines about a march."""
    mine = [pair for pair in pairs if pair.march == march]
    told = [pair for pair in mine if abs(pair.change) > CHANGE]
    right = sum(pair.right for pair in told)
    share = f", the estimate has the sign of {right} ({100 * right / len(told):.1f} %)" if told else ""
    taken = sum(bool(pair.compiled_before and pair.compiled_after) for pair in mine)
    yield f"{march}: {len(mine)} pairs, {taken} compiled, {len(told)} changed by more than 2 %{share}"
    yield from (f"  {pair}" for pair in told if not pair.right)


def collect(chosen: argparse.Namespace, witness: Witness) -> None:
    """Draw pairs until there are as many as asked for, then say what came of it."""
    rows, marches = csv_rows.read(Pair, chosen.out), chosen.march or asking.MARCHES
    for march in marches:
        mine = [row for row in rows if row.march == march]
        seed = max((row.seed for row in mine), default=chosen.seed - 1)
        while len(mine) < chosen.pairs:
            seed += 1
            try:
                found = pair(witness, march, seed, chosen.limit)
            except SurgeryError as error:
                print(f"{march} {seed}: {error}", file=sys.stderr, flush=True)
                continue
            if found is not None:
                mine.append(found)
                rows.append(found)
                print(found, flush=True)
                if chosen.out is not None:
                    csv_rows.write(Pair, rows, chosen.out)
        print("\n".join(summary(rows, march)), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, compile, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asking.arguments(parser)
    parser.add_argument("--pairs", type=int, default=100, help="per march")
    parser.add_argument("--seed", type=int, default=0, metavar="FIRST", help="of the first pair")
    parser.add_argument("--limit", type=float, default=300, help="seconds that a model may compile")
    parser.add_argument("--out", type=Path, metavar="FILE.csv")
    chosen = parser.parse_args(arguments)
    return asking.asked(chosen.witness, partial(collect, chosen))


if __name__ == "__main__":
    sys.exit(main())
