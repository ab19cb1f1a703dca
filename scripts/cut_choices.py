"""What a convolution cut over its input channels costs by the number of parts: estimated and compiled.

usage: cut_choices.py [--march M]... [--parts N]... [--limit S] [--witness DIR]

A 3x3 convolution of 9000 channels to 64 on 7x7, which no march takes whole, as the sum of so many, with a Relu and a
1x1 convolution behind it. Prints the predicted time of the nodes of the cut by themselves, by which
surgery/rewrite/ways.py chooses among plans, and that of the frame as the vendor's toolchain compiles it at O2. Exits
with 2 without it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import asking
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from random_networks import IR, OPSET

from passes.clamp.plan import balanced
from surgery.cost import local_us
from surgery.ir import Model
from surgery.target import load_target
from surgery.toolchain import Witness

INPUTS, OUTPUTS, SIDE = 9000, 64, 7


def network(parts: int, step: int) -> onnx.ModelProto:
    """The sum of ``parts`` convolutions, whose channels are multiples of ``step``."""
    rng, sizes = np.random.default_rng(0), balanced(INPUTS, parts, step)
    names = [f"x{index}" for index in range(parts)]
    nodes, held, total = [helper.make_node("Split", ["x"], names, axis=1, split=sizes)], [], ""
    for name, size in zip(names, sizes, strict=True):
        weight = rng.standard_normal((OUTPUTS, size, 3, 3)).astype(np.float32) / INPUTS**0.5
        held.append(numpy_helper.from_array(weight, f"w{name}"))
        nodes.append(helper.make_node("Conv", [name, f"w{name}"], [f"c{name}"], pads=[1] * 4, dilations=[1, 1]))
        if total:
            nodes.append(helper.make_node("Add", [total, f"c{name}"], [f"s{name}"]))
        total = f"s{name}" if total else f"c{name}"
    held.append(numpy_helper.from_array(np.eye(OUTPUTS, dtype=np.float32)[:, :, None, None], "v"))
    nodes += [helper.make_node("Relu", [total], ["r"]), helper.make_node("Conv", ["r", "v"], ["y"])]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, channels, SIDE, SIDE))
        for name, channels in (("x", INPUTS), ("y", OUTPUTS))
    ]
    graph = helper.make_graph(nodes, "cut", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def told(witness: Witness, march: str, parts: int, limit: float) -> str:
    """The line of one number of parts."""
    target = load_target(march)
    model = Model.load(network(parts, int(target.cost["align"]["out_channels"])))
    cut = list(model.nodes())[:-2]
    local = local_us(cut, lambda node: target.verdict(node, model.opset).device, target).mid
    answer = witness.compile(model, march, limit=limit)
    compiled = f"{answer.performance.latency_us:.0f}" if answer.performance else "not compiled"
    return f"{march}: {parts} parts, the cut {local:.0f} us predicted; the frame {compiled} us compiled"


def main(arguments: Sequence[str]) -> int:
    """Compile, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asking.arguments(parser)
    parser.add_argument("--parts", action="append", type=int, help="repeatable; by default 3 to 6")
    parser.add_argument("--limit", type=float, default=300, help="seconds per network")
    chosen = parser.parse_args(arguments)

    def ask(witness: Witness) -> None:
        for march in chosen.march or ("bernoulli2", "bayes-e"):
            for parts in chosen.parts or range(3, 7):
                print(told(witness, march, parts, chosen.limit), flush=True)

    return asking.asked(chosen.witness, ask)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
