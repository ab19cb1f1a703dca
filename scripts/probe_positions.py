"""Find where a node's neighbours decide its device: every operator in seven positions, put to the vendor's checker.

usage: probe_positions.py [--march M]... [--only OP]... [--witness DIR] [--out FILE.csv]

A convolution's result is float unless something quantised reads it. The positions: ``tail``, behind a convolution, at
the end; ``beside``, the same, with another convolution reading that result, too; ``behind``, behind a lookup, whose
result is quantised; ``middle``, between convolutions; ``before``, between a convolution and an operator of the CPU;
``after``, between an operator of the CPU and a convolution; ``cpu``, between two operators of the CPU. One network per
operator holds all seven. Prints and writes the device of each: bpu, cpu, or ``-`` where the row is gone.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import asking
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from surgery.ir import Model
from surgery.toolchain import Witness
from surgery.toolchain.names import map_names

POSITIONS = ("tail", "beside", "behind", "middle", "before", "after", "cpu")
SIDE, CHANNELS = 16, 8
LOOKUP, ON_CPU = "Sigmoid", "Neg"
"""An operator that is quantised wherever it stands on all three marches, and one that never is."""

PLAIN = (
    "Abs", "Acos", "Asin", "Asinh", "Atan", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "HardSigmoid",
    "LeakyRelu", "Log", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign",
    "Sqrt", "Tan", "Tanh", "GlobalAveragePool", "GlobalMaxPool", "Softmax", "Hardmax", "LogSoftmax", "ThresholdedRelu",
)  # fmt: skip
Array = np.ndarray[Any, Any]
Operator = tuple[str, dict[str, Any], tuple[Array, ...]]


def _number(value: float, *shape: int) -> Array:
    return np.full(shape, value, np.float32)


def _ints(*values: int) -> Array:
    return np.array(values, np.int64)


def operators() -> dict[str, Operator]:
    """What is probed, by name: operator, attributes, operands besides the first; ``~`` stands for a computed one."""
    found: dict[str, Operator] = {op: (op, {}, ()) for op in PLAIN}
    for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"):
        found[f"{op}_number"] = (op, {}, (_number(1.5),))
        found[f"{op}_channels"] = (op, {}, (_number(1.5, CHANNELS, 1, 1),))
        found[f"{op}_channels4"] = (op, {}, (_number(1.5, 1, CHANNELS, 1, 1),))
        found[f"{op}_itself"] = (op, {}, ())
    window = {"kernel_shape": [3, 3], "pads": [1] * 4}
    found |= {
        "Pow": ("Pow", {}, (_number(2.0),)),
        "PRelu": ("PRelu", {}, (_number(0.25, CHANNELS, 1, 1),)),
        "Clip": ("Clip", {}, (_number(0.0), _number(6.0))),
        "BatchNormalization": ("BatchNormalization", {}, (_number(0.5, CHANNELS),) * 4),
        "InstanceNormalization": ("InstanceNormalization", {}, (_number(0.5, CHANNELS),) * 2),
        "MaxPool": ("MaxPool", window, ()),
        "AveragePool": ("AveragePool", window, ()),
        "Conv": ("Conv", window, (_number(0.1, CHANNELS, CHANNELS, 3, 3),)),
        "Conv_depthwise": ("Conv", {**window, "group": CHANNELS}, (_number(0.1, CHANNELS, 1, 3, 3),)),
        "ConvTranspose": (
            "ConvTranspose", {"kernel_shape": [2, 2], "strides": [2, 2]}, (_number(0.1, CHANNELS, CHANNELS, 2, 2),)
        ),
        "Concat_itself": ("Concat", {"axis": 1}, ()),
        "Slice": ("Slice", {}, (_ints(0), _ints(4), _ints(1))),
        "Split": ("Split", {"axis": 1, "split": [CHANNELS]}, ()),
        "Pad": ("Pad", {}, (_ints(0, 0, 0, 0, 0, 0, 1, 1),)),
        "Resize_nearest": (
            "Resize", {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
            (np.zeros(0, np.float32), np.array([1, 1, 2, 2], np.float32)),
        ),
        "Resize_linear": (
            "Resize", {"mode": "linear"}, (np.zeros(0, np.float32), np.array([1, 1, 2, 2], np.float32))
        ),
        "Upsample": ("Upsample", {}, (np.array([1, 1, 2, 2], np.float32),)),
        "DepthToSpace": ("DepthToSpace", {"blocksize": 2}, ()),
        "SpaceToDepth": ("SpaceToDepth", {"blocksize": 2}, ()),
        "Transpose": ("Transpose", {"perm": [0, 1, 3, 2]}, ()),
        "Reshape": ("Reshape", {}, (_ints(1, 2 * CHANNELS, SIDE // 2, SIDE),)),
        "Squeeze": ("Squeeze", {"axes": [0]}, ()),
        "Flatten": ("Flatten", {"axis": 3}, ()),
        "Gather": ("Gather", {"axis": 1}, (_ints(3, 1, 2, 0),)),
        "GatherElements": ("GatherElements", {"axis": 3}, (np.zeros((1, CHANNELS, SIDE, SIDE), np.int64),)),
        "Tile": ("Tile", {}, (_ints(1, 1, 2, 1),)),
        "MatMul": ("MatMul", {}, (_number(0.1, SIDE, SIDE),)),
        "MatMul_itself": ("MatMul", {}, ()),
        "ReduceMean_channels": ("ReduceMean", {"axes": [1]}, ()),
        "ReduceMean_picture": ("ReduceMean", {"axes": [2, 3]}, ()),
        "ReduceSum": ("ReduceSum", {"axes": [1]}, ()),
        "ReduceMax": ("ReduceMax", {"axes": [1]}, ()),
        "ReduceMin": ("ReduceMin", {"axes": [1]}, ()),
        "ArgMax": ("ArgMax", {"axis": 1}, ()),
        "TopK": ("TopK", {"axis": 1}, (_ints(2),)),
        "Expand": ("Expand", {}, (_ints(2, CHANNELS, SIDE, SIDE),)),
        "Cast": ("Cast", {"to": 1}, ()),
        "Identity": ("Identity", {}, ()),
    }  # fmt: skip
    return found


def network(op: str, attributes: Mapping[str, Any], operands: tuple[Array, ...], itself: bool) -> onnx.ModelProto:
    """One operator in every position, each behind a convolution or an operator of the CPU of its own."""
    nodes: list[onnx.NodeProto] = []
    names = [f"k{i}" for i in range(len(operands))]
    for place in POSITIONS:
        source = "x" if place in ("after", "cpu") else _conv(nodes, "x", f"{place}_conv")
        if place in ("after", "cpu"):
            source = _node(nodes, ON_CPU, [source], f"{place}_source")
        if place == "beside":
            _conv(nodes, source, f"{place}_other")
        elif place == "behind":
            source = _node(nodes, LOOKUP, [source], f"{place}_source")
        made = _node(nodes, op, [source, *([source] if itself else []), *names], f"{place}_probe", **attributes)
        if place in ("middle", "after"):
            _conv(nodes, made, f"{place}_end")
        elif place in ("before", "cpu"):
            _node(nodes, ON_CPU, [made], f"{place}_end")
    read = {name for node in nodes for name in node.input}
    ends = [helper.make_empty_tensor_value_info(node.output[0]) for node in nodes if node.output[0] not in read]
    held = [numpy_helper.from_array(value, name) for value, name in zip(operands, names, strict=True)]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, CHANNELS, SIDE, SIDE])
    return _sized(helper.make_graph(nodes, "probe", [image], ends, held))


def _node(nodes: list[onnx.NodeProto], op: str, inputs: list[str], name: str, **attributes: Any) -> str:
    outputs = [name, *([f"{name}_indices"] if op == "TopK" else [])]
    nodes.append(helper.make_node(op, inputs, outputs, name=name, **attributes))
    return name


def _conv(nodes: list[onnx.NodeProto], source: str, name: str) -> str:
    said = {"kernel_shape": [1, 1], "strides": [1, 1], "dilations": [1, 1], "pads": [0] * 4, "group": 1}
    return _node(nodes, "Conv", [source, f"w_{name}"], name, **said)


def _sized(graph: onnx.GraphProto) -> onnx.ModelProto:
    """The model with weights for its convolutions, in whose order their inputs become known; other ends are dropped."""
    opset = 9 if any(node.op_type == "Upsample" for node in graph.node) else 11
    while True:
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
        model = onnx.shape_inference.infer_shapes(model)
        shapes = {v.name: v for v in (*model.graph.input, *model.graph.value_info, *model.graph.output)}
        held = {t.name for t in graph.initializer}
        open_ = next((n for n in graph.node if n.op_type == "Conv" and n.input[1] not in held), None)
        if open_ is None:
            return model
        tensor = shapes[open_.input[0]].type.tensor_type
        sizes = [d.dim_value for d in tensor.shape.dim]
        if len(sizes) != 4 or tensor.elem_type != TensorProto.FLOAT:
            graph.node.remove(open_)
            gone = next(i for i, end in enumerate(graph.output) if end.name == open_.output[0])
            graph.output[gone].CopyFrom(helper.make_empty_tensor_value_info(open_.input[0]))
            continue
        rng = np.random.default_rng(zlib.crc32(open_.name.encode()))  # equal ones would be merged
        taps = rng.normal(scale=0.05, size=(CHANNELS, sizes[1], 1, 1)).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(taps, open_.input[1]))


def devices(model: onnx.ModelProto, march: str, path: Path, witness: Witness) -> dict[str, str]:
    """Device by position; a refusal stands under every position."""
    onnx.save(model, path)
    answer = witness.check(path, march)
    if answer.refusal is not None or answer.placement is None:
        return dict.fromkeys(POSITIONS, f"refused: {answer.refusal.text[:60] if answer.refusal else ''}")
    names = map_names(Model.load(path), answer.placement)
    return {place: names.device(f"{place}_probe").replace("folded", "-") for place in POSITIONS}


def rows(marches: Sequence[str], only: Sequence[str], witness: Witness, folder: Path) -> Iterator[tuple[str, ...]]:
    """A row per operator and march."""
    for name, (op, attributes, operands) in operators().items():
        if only and op not in only and name not in only:
            continue
        model = network(op, attributes, operands, name.endswith("_itself"))
        for march in marches:
            found = devices(model, march, folder / "probe.onnx", witness)
            print(f"{name:22} {march:10} " + " ".join(f"{place} {found[place]:4}" for place in POSITIONS), flush=True)
            yield (name, march, *(found[place] for place in POSITIONS))


def main() -> int:
    """Probe; exit with 2 when there is no toolchain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asking.arguments(parser)
    parser.add_argument("--only", action="append", default=[], metavar="OP", help="operators; repeatable")
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="write the table there")
    options = parser.parse_args()
    return asking.asked(options.witness, partial(_probe, options))


def _probe(options: argparse.Namespace, witness: Witness) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = list(rows(options.march or asking.MARCHES, options.only, witness, Path(folder)))
    if options.out:
        with options.out.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("operator", "march", *POSITIONS), *found])


if __name__ == "__main__":
    sys.exit(main())
