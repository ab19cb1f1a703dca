"""Random convolutions on both sides of the limits of every march: rewritten, they compute the same.

usage: fuzz_convolutions.py [--cases N] [--seed S] [--march M]... [--jobs N]

A case is a Conv or ConvTranspose with a kernel of 1 to 13, strides and dilations of 1 to 4, groups, uneven pads, and
channels that are few or around a limit, alone or with a Relu and a 1x1 convolution behind it. It goes through
fuse-convs, tile-kernels, clamp-conv-channels and substitute-ops as `surgery run` does, which verifies every pass; what
comes out is compared with the original by onnxruntime once more. Prints by march how many broke a limit and how many
of these keep all afterwards, what is left broken and what the passes say to that, and the largest difference over the
largest magnitude of an output. Case ``i`` of a seed is the same whatever the number of cases.

Exits with 1, and the cases on stderr, where a pass failed, was rolled back, or the outputs moved beyond rounding.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from surgery.ir import Model
from surgery.ir.ops import static_shape
from surgery.ir.session import open_session
from surgery.pipeline import Pipeline
from surgery.pipeline.result import RunResult, Status
from surgery.pipeline.run import run
from surgery.target import Target, load_target, march_names

PASSES = ("fuse-convs", "tile-kernels", "clamp-conv-channels", "substitute-ops")
WIDE = (2048, 4096, 8192)
"""Limits on channels of the marches."""
BOUND = 1e-4
"""Most that an output may move over its largest magnitude."""
BATCH = 25
"""Cases that a process takes at once."""


@dataclass(frozen=True)
class Case:
    """One convolution: by axis strides, dilations and pads (begins, then ends); channels are those of all groups."""

    op: str
    inputs: int
    outputs: int
    group: int
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, ...]
    sides: tuple[int, ...]
    followed: bool

    @property
    def result(self) -> tuple[int, ...]:
        """Height and width of what it computes."""
        both = zip(self.sides, self.kernel, self.strides, self.dilations, self.pads[:2], self.pads[2:], strict=True)
        if self.op == "ConvTranspose":
            return tuple((n - 1) * s + (k - 1) * d + 1 - p - q for n, k, s, d, p, q in both)
        return tuple((n + p + q - (k - 1) * d - 1) // s + 1 for n, k, s, d, p, q in both)

    def model(self, seed: int) -> onnx.ModelProto:
        """The model, with seeded weights."""
        rng = np.random.default_rng(seed)
        shape = (self.outputs, self.inputs // self.group)
        if self.op == "ConvTranspose":
            shape = (self.inputs, self.outputs // self.group)
        held = {"w": _weights(rng, (*shape, *self.kernel)), "b": _weights(rng, (self.outputs,))}
        options: dict[str, Any] = {
            "group": self.group,
            "strides": self.strides,
            "dilations": self.dilations,
            "pads": self.pads,
        }
        nodes, last, channels = [helper.make_node(self.op, ["x", "w", "b"], ["c"], **options)], "c", self.outputs
        if self.followed:
            channels, last, held["v"] = 4, "y", _weights(rng, (4, self.outputs, 1, 1))
            nodes += [helper.make_node("Relu", ["c"], ["r"]), helper.make_node("Conv", ["r", "v"], [last])]
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (("x", (1, self.inputs, *self.sides)), (last, (1, channels, *self.result)))
        ]
        constants = [numpy_helper.from_array(values, name) for name, values in held.items()]
        graph = helper.make_graph(nodes, "convolution", ends[:1], ends[1:], constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def _weights(rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    return np.asarray(rng.standard_normal(shape) / max(1, prod(shape[1:])) ** 0.5, np.float32)


def drawn(seed: int, index: int) -> Case:
    """Case ``index`` of ``seed``."""
    rng = np.random.default_rng((seed, index))

    def some(low: int, high: int) -> tuple[int, int]:
        first, second = (int(n) for n in rng.integers(low, high, 2, endpoint=True))
        return (first, first) if rng.random() < 0.6 else (first, second)

    op = "ConvTranspose" if rng.random() < 0.1 else "Conv"
    inputs, outputs, group = _channels(rng)
    wide = max(inputs, outputs) > min(WIDE) // 2
    kernel = some(1, 3) if wide else some(1, 13)
    strides = some(1, 4)
    dilations = (1, 1) if op == "ConvTranspose" or rng.random() < 0.5 else some(1, 4)
    reach = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    if op == "ConvTranspose":
        pads = [int(rng.integers(0, (k - 1) // 2 + 1)) for k in kernel] * 2
    else:
        pads = [int(rng.integers(0, r + 1)) for r in reach] * 2
    if op == "Conv" and rng.random() < 0.4:
        pads[2:] = (int(rng.integers(0, r + 1)) for r in reach)
    least = [max(1, r + 1 - p - q) for r, p, q in zip(reach, pads[:2], pads[2:], strict=True)]
    sides = [n + int(rng.integers(0, 4 if wide else 12)) for n in least]
    followed = bool(rng.random() < 0.5)
    return Case(op, inputs, outputs, group, kernel, strides, dilations, (*pads,), (*sides,), followed)


def _channels(rng: np.random.Generator) -> tuple[int, int, int]:
    """Channels in, channels out, and groups; a quarter around a limit on one side."""
    kind = rng.random()
    if kind < 0.75:
        group = int(rng.choice((1, 1, 1, 2, 3, 4)))
        return group * int(rng.integers(1, 9)), group * int(rng.integers(1, 9)), group
    many, few = int(rng.choice(WIDE)) + int(rng.integers(-8, 9)), int(rng.integers(1, 9))
    if kind < 0.8:
        return many, many, many
    return (many, few, 1) if kind < 0.9 else (few, many, 1)


@dataclass
class Told:
    """What became of the cases for one march; limits and reasons by number of cases, ``broken`` are failures.

    ``constant`` cases are left out: they see nothing but padding, and their outputs have no range to be judged by.
    """

    cases: int = 0
    constant: int = 0
    over: int = 0
    cured: int = 0
    rewritten: int = 0
    worst: float = 0.0
    limits: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, other: Told) -> None:
        """Both together."""
        for name in ("cases", "constant", "over", "cured", "rewritten"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.worst = max(self.worst, other.worst)
        for name in ("limits", "left", "reasons"):
            getattr(self, name).update(getattr(other, name))
        self.broken += other.broken


def told(march: str, seed: int, index: int) -> Told:
    """One case rewritten for one march."""
    case, target = drawn(seed, index), load_target(march)
    before = Model.load(case.model(index))
    if is_constant(before):
        return Told(1, 1)
    over = broken_limits(before, target)
    result = run(before.copy(), march=march, pipeline=Pipeline.of(*PASSES), seed=index)
    left = broken_limits(result.model, target)
    rewritten = any(p.status is Status.APPLIED for p in result.passes)
    moved = drift(before, result.model, index) if rewritten else 0.0
    found = Told(1, 0, bool(over), bool(over) and not left, rewritten, moved, Counter(over), Counter(left))
    if left:
        said = {re.sub(r"'[^']*'", "'…'", re.sub(r"\d+", "#", p.reason)) for p in result.passes if p.reason}
        found.reasons.update(said or {"no pass cures it"})
    if wrong := failures(result) or (f"drift {found.worst:.1e}" if found.worst > BOUND else ""):
        found.broken.append(f"{march} --seed {seed}, case {index}: {case}: {wrong}")
    return found


def broken_limits(model: Model, target: Target) -> set[str]:
    """The limits that a node of ``model`` breaks by itself."""
    return {v.constraint for node in model.nodes() for v in target.verdict(node, model.opset).violations}


def failures(result: RunResult) -> str:
    """What must not happen: a pass that failed or was rolled back, or outputs that were not compared; "" if none."""
    bad = (p for p in result.passes if p.status in (Status.FAILED, Status.ROLLED_BACK))
    wrong = [f"{p.name} {p.status.value}: {p.reason}" for p in bad]
    return "; ".join(wrong or ([] if result.verified == "full" else result.reasons))


def outputs(model: Model, seed: int) -> np.ndarray[Any, Any]:
    """What ``model`` computes of normal inputs."""
    source = model.graph.inputs[0]
    x = np.random.default_rng(seed).standard_normal(static_shape(source) or ()).astype(np.float32)
    return open_session(model).run({source.name: x}).popitem()[1]


def is_constant(model: Model) -> bool:
    """Whether no input moves the outputs by more than what is rounding in them."""
    first, second = outputs(model, 0), outputs(model, 1)
    return bool(np.abs(first - second).max() <= BOUND * np.abs(first).max())


def drift(before: Model, after: Model, seed: int) -> float:
    """The largest difference of the outputs over the largest magnitude of the original's, on normal inputs."""
    old, new = outputs(before, seed), outputs(after, seed)
    return float(np.abs(new - old).max() / max(np.abs(old).max(), 1e-6))


def batch(march: str, seed: int, indices: Sequence[int]) -> Told:
    """Several cases of one march, one after the other."""
    found = Told()
    for index in indices:
        found.add(told(march, seed, index))
    return found


def fuzz(marches: Sequence[str], cases: int, seed: int, jobs: int) -> Iterator[tuple[str, Told]]:
    """The cases dealt out to the marches in turn, and what came out by march, in ``jobs`` processes."""
    with ProcessPoolExecutor(jobs) as pool:
        work = [
            (march, pool.submit(batch, march, seed, indices))
            for place, march in enumerate(marches)
            for indices in _batches(range(place, cases, len(marches)))
        ]
        for march, future in work:
            yield march, future.result()


def _batches(indices: range) -> Iterator[range]:
    return (indices[start : start + BATCH] for start in range(0, len(indices), BATCH))


def lines(march: str, found: Told, most: int = 6) -> Iterator[str]:
    """The words of one march."""
    yield (
        f"{march}: {found.cases} cases, {found.constant} constant, {found.over} over a limit, "
        f"{found.cured} of these cured; {found.rewritten} rewritten, "
        f"worst drift {found.worst:.1e}, {len(found.broken)} failures"
    )
    for limit, count in found.limits.most_common():
        yield f"  {limit}: {count} over, {found.left[limit]} left"
    for reason, count in found.reasons.most_common(most):
        yield f"  {count} x {reason}"


def main(arguments: Sequence[str]) -> int:
    """Draw, rewrite, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--march", action="append", choices=march_names(), help="repeatable; by default all")
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args(arguments)
    marches, totals = chosen.march or march_names(), dict[str, Told]()
    for march, found in fuzz(marches, chosen.cases, chosen.seed, chosen.jobs):
        totals.setdefault(march, Told()).add(found)
        print(*found.broken, sep="\n", end="\n" if found.broken else "", file=sys.stderr, flush=True)
    for march, found in totals.items():
        print(*lines(march, found), sep="\n")
    return int(any(found.broken for found in totals.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
