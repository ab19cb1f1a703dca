"""The simulated integers of the digits model against the toolchain's own: accuracy, and the SQNR of every layer.

usage: compare_digits.py [--witness DIR] [--calibrate N] [--taps N] [MARCH]...

For each march the shipped digits model, rewritten by its default pipeline with the quantised ends taken off, as
``surgery run --add strip-io-nodes`` makes it: the share of all 360 held-out digits that are right in float, simulated,
and by the toolchain's integer model; and over the first N digits the median and the largest of the differences in SQNR,
ours less that of its fake-quant model, of all values that both round. Both calibrate on the first N of the digits, by
largest magnitude.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surgery.drift.inputs import InputSet, Sample, make_inputs
from surgery.drift.thresholds import Method
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.pipeline import Pipeline
from surgery.pipeline.run import run
from surgery.simulated import Simulation
from surgery.target import load_target
from surgery.toolchain import Witness, find
from surgery.tradeoff.int8 import fed, given_back

ROOT = Path(__file__).resolve().parents[1]
MODEL, DATA, LABELS = (ROOT / "models" / name for name in ("digits.onnx", "digits.npz", "digits.labels.npy"))
Array = np.ndarray[Any, Any]


def compare(march: str, chosen: argparse.Namespace, witness: Witness) -> str:
    """A line about a march."""
    pipeline = Pipeline.default(march).adding(["strip-io-nodes"])
    result = run(Model.load(MODEL), march=march, pipeline=pipeline, inputs=DATA, samples=chosen.calibrate)
    model, io = result.model, result.io
    if io is None:
        raise SystemExit(f"{march}: nothing was taken off")
    every = make_inputs(Model.load(MODEL), samples=10**6, given=DATA)
    inside = fed(model, io, every.samples)
    first = InputSet(inside[: chosen.calibrate], source=str(DATA))
    simulated = Simulation(model, load_target(march), first, Method.MAX)

    def right(outputs: Sequence[Sample]) -> float:
        return accuracy(given_back(model, io, outputs))

    with witness.quantise(model, march, first.samples) as theirs:
        integers = theirs.run_all(inside)
        values = [name for name in simulated.grid.values if name not in {v.name for v in model.graph.inputs}]
        rounded = theirs.inside(inside[: chosen.taps], [*values, *(v.name for v in model.graph.outputs)])
    floats, ours = open_session(model), open_session(simulated.made)
    line = f"{march}: accuracy of {len(inside)}: float {right([floats.run(s) for s in inside]):.5f}, "
    line += f"simulated {right([ours.run(s) for s in inside]):.5f}, toolchain {right(integers):.5f}; "
    return line + layers(simulated, rounded, inside[: chosen.taps])


def accuracy(outputs: Sequence[Mapping[str, Array]]) -> float:
    """Share of digits whose class has the highest mean score, as ``models/eval.py`` has it."""
    scores = [next(iter(each.values())).astype(np.float64) for each in outputs]
    guesses = [int(each.mean(axis=(0, 1, 2, 3)).argmax()) for each in scores]
    return float(np.mean(guesses == np.load(LABELS)))


def layers(simulated: Simulation, rounded: Sequence[Mapping[str, Array]], samples: Sequence[Sample]) -> str:
    """How far the SQNR of layers is from that of the toolchain's."""
    names = list(rounded[0])
    before, after = (
        [session.run(sample, names) for sample in samples]
        for session in (open_session(m, outputs=names) for m in (simulated.model, simulated.made))
    )
    pairs = {name: (sqnr(before, after, name), sqnr(before, rounded, name)) for name in names}
    apart = {name: ours - theirs for name, (ours, theirs) in pairs.items() if np.isfinite([ours, theirs]).all()}
    worst = max(apart, key=lambda name: abs(apart[name]))
    median = float(np.median([abs(each) for each in apart.values()]))
    return f"SQNR of {len(apart)} layers: median {median:.2f} dB apart, at most {apart[worst]:+.2f} dB ({worst})"


def sqnr(floats: Sequence[Mapping[str, Array]], found: Sequence[Mapping[str, Array]], name: str) -> float:
    """Signal over error of a value over all samples, dB."""
    signal = sum(float((row[name].astype(np.float64) ** 2).sum()) for row in floats)
    error = sum(float(((a[name] - b[name]).astype(np.float64) ** 2).sum()) for a, b in zip(floats, found, strict=True))
    return 10 * float(np.log10(signal / error)) if error and signal else float("inf")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare on every march."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("marches", nargs="*", default=["bernoulli2", "bayes", "bayes-e"], metavar="MARCH")
    parser.add_argument("--witness", default="auto", metavar="DIR")
    parser.add_argument("--calibrate", type=int, default=50)
    parser.add_argument("--taps", type=int, default=50)
    chosen = parser.parse_args(arguments)
    with Witness(find(chosen.witness)) as witness:
        for march in chosen.marches:
            print(compare(march, chosen, witness), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
