"""Time the default pipeline, without verification, on models of very many nodes.

usage: bench_nodes.py [--nodes N] [--march M] [--seconds S]

Makes a wide model (branches of activations, no-ops and operators a march has to substitute), a chain whose nodes are
stored back to front, and one whose nodes all read the same constant, each of N nodes; reads, rewrites and saves
them. Prints the best of three runs per model; exits with 1 when one takes longer than S seconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from surgery.pipeline.run import run

SHAPE = (1, 8, 16, 16)
BRANCH = ("Relu", "Neg", "Abs", "Identity", "Sigmoid", "Neg", "Tanh", "Relu")
RUNS = 3


def wide(count: int) -> onnx.ModelProto:
    """Branches of eight nodes that are summed up at the end."""
    nodes, ends = [], []
    for branch in range((count - 1) // len(BRANCH)):
        value = "x"
        for place, op in enumerate(BRANCH):
            made = f"v{branch}_{place}"
            nodes.append(helper.make_node(op, [value], [made], f"{op}_{branch}_{place}"))
            value = made
        ends.append(value)
    nodes.append(helper.make_node("Sum", ends, ["y"], "sum"))
    return _model(nodes)


def reversed_chain(count: int) -> onnx.ModelProto:
    """One chain, its last node first in the file."""
    names = ["x", *(f"v{i}" for i in range(count - 1)), "y"]
    nodes = [helper.make_node("Relu", [names[i]], [names[i + 1]], f"relu_{i}") for i in range(count)]
    return _model(nodes[::-1])


def shared_constant(count: int) -> onnx.ModelProto:
    """A chain of additions that all read one constant, and a value that every one of them hands to the sum."""
    names = ["x", *(f"v{i}" for i in range(count - 1))]
    nodes = [helper.make_node("Add", [names[i], "c"], [names[i + 1]], f"add_{i}") for i in range(count - 1)]
    nodes.append(helper.make_node("Sum", names[1:], ["y"], "sum"))
    return _model(nodes, numpy_helper.from_array(np.full((1, 8, 1, 1), 0.5, np.float32), "c"))


def _model(nodes: list[onnx.NodeProto], *constants: TensorProto) -> onnx.ModelProto:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in "xy")
    graph = helper.make_graph(nodes, "bench", [x], [y], list(constants))
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])


MODELS: dict[str, Callable[[int], onnx.ModelProto]] = {
    "wide": wide,
    "reversed chain": reversed_chain,
    "shared constant": shared_constant,
}


def times(source: Path, target: Path, march: str) -> Iterator[tuple[float, float]]:
    """Seconds from file to file, and how many of them the processor worked for it, once per run."""
    for _ in range(RUNS):
        start, worked = time.perf_counter(), time.process_time()
        run(source, march=march, verify="off").model.save(target)
        yield time.perf_counter() - start, time.process_time() - worked


def main() -> int:
    """Time every model; 1 when one is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--march", default="bayes-e")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.onnx", Path(folder) / "out.onnx"
        for name, make in MODELS.items():
            onnx.save(make(options.nodes), source)
            seconds, worked = min(times(source, target, options.march))
            worst = max(worst, seconds)
            print(f"{name:16} {options.nodes:6} nodes {seconds:6.2f} s ({worked:.2f} s of processor time)", flush=True)
    print(f"worst {worst:.2f} s, limit {options.seconds:g} s")
    return int(worst > options.seconds)


if __name__ == "__main__":
    sys.exit(main())
