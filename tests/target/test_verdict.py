"""Verdicts of single nodes: what was probed with the vendor's checker, what its lists say, and what nobody knows."""

from __future__ import annotations

import numpy as np
import pytest

from surgery.ir.graph import Constant, Graph, Node, Tensor, Value
from surgery.target import load_target
from tests.target.nodes import conv, device, ids, ints, node, value, weight

X3, ULTRA, X5, S100 = (load_target(name) for name in ("bernoulli2", "bayes", "bayes-e", "nash-e"))
MAP = (1, 64, 28, 28)
LOOKUPS = ["Abs", "Erf", "Elu", "Log", "Floor", "Tan", "HardSigmoid", "Sigmoid", "Sqrt", "Round", "Sign", "Asin"]


def unary(op: str, shape: tuple[int, ...] = MAP, **attrs: object) -> Node:
    return node(op, [shape], shape, **attrs)


def reduced(op: str, axes: list[int], keepdims: int = 1) -> Node:
    return node(op, [MAP], (1, 1, 1, 1), axes=axes, keepdims=keepdims)


def binary(op: str, one: tuple[int, ...], other: tuple[int, ...] | Constant) -> Node:
    return node(op, [one, other], one)


def crop(region: tuple[int, ...] | Constant) -> Node:
    mode = b"tf_crop_and_resize"
    return node("Resize", [MAP, region], MAP, mode=b"linear", coordinate_transformation_mode=mode)


BOX = (1, 8, 8, 16, 16)
PROBED = [
    # node, devices on bernoulli2, bayes and bayes-e, the first limit in the way where one is
    (conv(kernel=7), "bpu bpu bpu", None),
    (conv(kernel=9), "cpu bpu bpu", "Conv.kernel_h"),
    (conv(kernel=33), "cpu bpu bpu", "Conv.kernel_h"),
    (conv(dilations=[3, 3]), "cpu bpu bpu", "Conv.dilation"),
    (conv(dilations=[8, 8]), "cpu bpu bpu", "Conv.dilation"),
    (conv(dilations=[4, 4]), "bpu bpu bpu", None),
    (conv(kernel=1, dilations=[2, 2]), "refused bpu bpu", "Conv.idle_dilation"),
    (conv(kernel=1, dilations=[8, 8]), "cpu bpu bpu", "Conv.dilation"),
    (conv(dilations=[8, 8], pads=[0, 8, 0, 0]), "refused bpu bpu", "Conv.uneven_pads"),
    (conv(dilations=[4, 4], pads=[0, 8, 0, 0]), "bpu bpu bpu", None),
    (conv(dilations=[2, 2], strides=[2, 2]), "bpu cpu cpu", "Conv.stride"),
    (conv(cin=2056, kernel=1), "refused bpu bpu", "Conv.dilations"),
    (conv(cin=2056, kernel=1, dilations=[1, 1]), "bpu bpu bpu", None),
    (conv(cout=4104, kernel=1, dilations=[1, 1]), "cpu bpu bpu", "Conv.out_channels_per_group.2"),
    (conv(cin=8200, kernel=1, size=4), "cpu refused refused", "Conv.in_channels_per_group"),
    *((unary(op), "bpu bpu bpu", None) for op in LOOKUPS),
    (unary("Sigmoid", (1, 64, 112, 112)), "bpu bpu bpu", None),
    (unary("InstanceNormalization"), "cpu bpu bpu", "InstanceNormalization.device"),
    (unary("Neg"), "cpu cpu cpu", "Neg.device"),
    (unary("Softmax", axis=1), "cpu cpu cpu", "Softmax.request"),
    (unary("Hardmax"), "refused refused refused", "Hardmax.kernel"),
    (binary("Max", MAP, weight(1)), "cpu bpu bpu", "Max.device"),
    (binary("Min", MAP, weight(1)), "cpu cpu cpu", "Min.constants"),
    (binary("Min", MAP, MAP), "cpu bpu bpu", "Min.device"),
    (binary("Add", MAP, MAP), "bpu bpu bpu", None),
    (binary("Add", MAP, (1, 64, 1, 1)), "bpu bpu bpu", None),
    (binary("Add", MAP, weight()), "cpu bpu bpu", "Add.constants"),
    (binary("Mul", MAP, (1, 1, 28, 28)), "bpu bpu bpu", None),
    (binary("Mul", MAP, weight()), "bpu bpu bpu", None),
    (binary("Sub", MAP, MAP), "cpu bpu bpu", "Sub.device"),
    (binary("Pow", MAP, Constant("two", np.array(2, np.float32))), "bpu bpu bpu", None),
    (reduced("ReduceMean", [1]), "cpu bpu bpu", "ReduceMean.axes"),
    (reduced("ReduceMean", [2, 3]), "bpu bpu bpu", None),
    (reduced("ReduceMean", [-2, -1]), "bpu bpu bpu", None),
    (reduced("ReduceMean", [3, 2]), "cpu cpu cpu", "ReduceMean.axes"),
    (reduced("ReduceMax", [2, 3]), "cpu cpu cpu", "ReduceMax.device"),
    (reduced("ReduceMax", [1], keepdims=0), "cpu bpu bpu", "ReduceMax.device"),
    (node("Gather", [MAP, ints(1)], (1, 1, 28, 28), axis=1), "cpu bpu bpu", "Gather.device"),
    (node("Gather", [(3, 1, 4, 8, 8), ints(1)], (1, 4, 8, 8)), "cpu cpu cpu", "Gather.device"),
    (node("Expand", [(1, 64, 1, 1), ints(*MAP)], MAP), "cpu cpu cpu", "Expand.device"),
    (node("Expand", [(1, 64, 28, 1), ints(*MAP)], MAP), "cpu bpu bpu", "Expand.device"),
    (node("Split", [MAP], (1, 16, 28, 28), axis=1, split=[16, 48]), "bpu bpu bpu", None),
    (node("Resize", [MAP], (1, 64, 84, 84)), "cpu cpu cpu", "Resize.scale"),
    (node("Resize", [MAP], (1, 64, 84, 84), mode=b"linear"), "bpu bpu bpu", None),
    (node("Resize", [MAP], (1, 64, 56, 56)), "bpu bpu bpu", None),
    (node("Resize", [MAP], (1, 64, 56, 56), mode=b"cubic"), "cpu cpu cpu", "Resize.mode"),
    (node("Pad", [MAP, ints(0, 1, 0, 0, 0, 1, 0, 0)], (1, 66, 28, 28)), "cpu bpu bpu", "Pad.padded_axes"),
    (node("AveragePool", [MAP], MAP, kernel_shape=[9, 9]), "cpu bpu bpu", "AveragePool.kernel_h"),
    (node("MaxPool", [MAP], MAP, kernel_shape=[65, 65]), "cpu bpu bpu", "MaxPool.kernel_h"),
    (node("ConvTranspose", [MAP, weight(64, 8, 3, 3)], MAP, strides=[1, 1]), "cpu bpu bpu", "ConvTranspose.stride"),
    (node("ConvTranspose", [MAP, weight(64, 8, 15, 15)], MAP, strides=[2, 2]), "cpu cpu cpu", "ConvTranspose.kernel_h"),
    (
        node("ConvTranspose", [MAP, weight(64, 8, 4, 4)], MAP, strides=[2, 2], pads=[0, 0, 1, 1]),
        "bpu bpu bpu",
        None,
    ),
    (node("MatMul", [(1, 1, 4, 8), weight(8, 8)], (1, 1, 4, 8)), "bpu bpu bpu", None),
    (node("MatMul", [(1, 64, 784), (1, 784, 64)], (1, 64, 64)), "cpu bpu bpu", "MatMul.forms.2"),
    (node("Concat", [MAP, MAP], (1, 128, 28, 28), axis=1), "bpu bpu bpu", None),
    (node("Concat", [MAP, MAP], (2, 64, 28, 28), axis=0), "bpu bpu bpu", None),
    (unary("Transpose"), "bpu bpu bpu", None),
    *((unary(op), "refused refused refused", f"{op}.opset") for op in ("Gelu", "GridSample", "GreaterOrEqual")),
    (node("Conv", [(1, 16, 64), weight(16, 16, 3)], (1, 16, 64), pads=[1, 1]), "cpu cpu cpu", "Conv.rank"),
    (
        node("ConvTranspose", [(1, 16, 64), weight(16, 16, 3)], (1, 16, 66)),
        "refused refused refused",
        "ConvTranspose.rank",
    ),
    (node("Conv", [BOX, weight(8, 8, 3, 3, 3)], BOX, pads=[1] * 6), "cpu bpu bpu", "Conv.rank"),
    (node("MaxPool", [(1, 64, 256)], (1, 64, 128), kernel_shape=[2], strides=[2]), "refused bpu bpu", "MaxPool.rank.2"),
    (node("MaxPool", [BOX], (1, 8, 7, 15, 15), kernel_shape=[2, 2, 2]), "cpu cpu cpu", "MaxPool.rank"),
    (node("AveragePool", [(1, 64, 256)], (1, 64, 128), kernel_shape=[2], strides=[2]), "bpu bpu bpu", None),
    (node("AveragePool", [BOX], (1, 8, 7, 15, 15), kernel_shape=[2, 2, 2]), "cpu cpu cpu", "AveragePool.rank"),
    (node("GlobalAveragePool", [(1, 64, 256)], (1, 64, 1)), "bpu bpu bpu", None),
    (node("GlobalAveragePool", [BOX], (1, 8, 1, 1, 1)), "refused refused refused", "GlobalAveragePool.rank"),
    (node("GlobalMaxPool", [(1, 64, 256)], (1, 64, 1)), "cpu bpu bpu", "GlobalMaxPool.rank.2"),
    (node("GlobalMaxPool", [BOX], (1, 8, 1, 1, 1)), "refused refused refused", "GlobalMaxPool.rank"),
    (crop(ints(0, 0, 0, 0, 1, 1, 1, 1)), "bpu bpu bpu", None),
    (crop((8,)), "refused refused refused", "Resize.roi"),
    (node("Resize", [(1, 64, 256)], (1, 64, 512)), "refused refused refused", "Resize.rank"),
    (binary("Add", (256,), (256,)), "cpu cpu cpu", "Add.ranks"),
    (binary("Sub", (256,), (256,)), "cpu cpu cpu", "Sub.device"),
    (binary("Add", (64, 256), (64, 256)), "cpu bpu bpu", "Add.forms"),
    (node("Slice", [(64,)], (32,), starts=[0], ends=[32]), "cpu cpu cpu", "Slice.rank"),
    (node("Slice", [(1, 64, 256)], (1, 64, 32), starts=[0], ends=[32], axes=[2]), "cpu bpu bpu", "Slice.rank"),
    (node("Split", [(2, 64, 28, 28)], (1, 64, 28, 28), axis=0), "bpu bpu bpu", None),
    (node("Concat", [(64,), (64,)], (128,), axis=0), "cpu cpu cpu", "Concat.rank"),
    (node("DepthToSpace", [(1, 72, 16, 16)], (1, 8, 48, 48), blocksize=3), "refused cpu cpu", "DepthToSpace.blocksize"),
    (node("SpaceToDepth", [(1, 8, 16, 16)], (1, 32, 8, 8), blocksize=2), "bpu bpu bpu", None),
    (node("SpaceToDepth", [(1, 8, 16, 16)], (1, 128, 4, 4), blocksize=4), "bpu cpu cpu", "SpaceToDepth.blocksize"),
    (node("Gemm", [(1, 9000), weight(9000, 10)], (1, 10)), "refused refused refused", "Gemm.in_channels"),
    (node("Gemm", [(1, 4096), weight(4096, 10)], (1, 10)), "bpu bpu bpu", None),
]


@pytest.mark.parametrize(("made", "devices", "limit"), PROBED, ids=[f"{n.op}-{i}" for i, (n, *_) in enumerate(PROBED)])
def test_three_marches(made: Node, devices: str, limit: str | None) -> None:
    verdicts = [target.verdict(made, 11) for target in (X3, ULTRA, X5)]
    assert " ".join(v.device for v in verdicts) == devices
    broken = [id_ for v in verdicts for id_ in ids(v)]
    assert broken == [] if limit is None else limit in broken


def test_a_violation_says_everything() -> None:
    violation = X3.verdict(conv(kernel=9), 11).violations[0]
    assert (violation.constraint, violation.found, violation.allowed) == ("Conv.kernel_h", 9, "1..7")
    assert (violation.source, violation.evidence) == ("x_list", "probed")
    assert violation.text == "kernel h 1..7"


def test_all_violations_at_once() -> None:
    wide = conv(cin=9000, kernel=129)
    assert {"Conv.kernel_h", "Conv.kernel_w"} <= set(ids(X5.verdict(wide, 11)))


def test_probed_limits_say_so() -> None:
    violation = X5.verdict(conv(kernel=129), 11).violations[0]
    assert (violation.constraint, violation.evidence, violation.source) == ("Conv.kernel_h", "probed", "checker")


def test_a_limit_of_every_operator_has_evidence_of_its_own() -> None:
    read, probed = (target.verdict(unary("Exp", (5000, 8, 4, 4)), 11).violations[0] for target in (ULTRA, X5))
    assert (read.constraint, read.evidence, read.source) == ("Exp.batch", "read", "ultra_list")
    assert (probed.constraint, probed.evidence, probed.source) == ("Exp.batch", "probed", "x_list")


def test_symbolic_dim_is_unknown_and_named() -> None:
    verdict = X5.verdict(node("Relu", [("batch", 8, 4, 4)], ("batch", 8, 4, 4)), 11)
    assert verdict.device == "unknown"
    assert any("dim 'batch' of 'x0' is symbolic" in reason for reason in verdict.reasons)


def test_a_broken_limit_is_stronger_than_an_unknown_one() -> None:
    made = node("Conv", [("batch", 8, 32, 32), weight(8, 8, 9, 9)], ("batch", 8, 32, 32))
    assert X3.verdict(made, 11).device == "cpu"


def test_unknown_shape_is_unknown() -> None:
    assert device(X5, node("Sigmoid", [Value("x")], (1,))) == "unknown"


def test_attributes_that_contradict_are_unknown() -> None:
    made = node("ConvTranspose", [MAP, weight(64, 8, 3, 3)], MAP, strides=[2, 2, 2])
    verdict = X5.verdict(made, 11)
    assert any("cannot be computed" in reason for reason in verdict.reasons)


def test_other_domain_is_unknown() -> None:
    made = unary("Relu")
    made.domain = "com.example"
    assert X5.verdict(made, 11).reasons == ("operator of domain 'com.example'",)


def test_nash_rows_without_limits_are_unknown() -> None:
    assert S100.verdict(conv(), 11).reasons == ("on the BPU of nash-e, within limits of Conv that are not public",)
    assert S100.verdict(unary("Erf"), 11).reasons == ("no public row for Erf on nash-e",)
    assert device(S100, binary("Add", MAP, MAP)) == "bpu"
    assert device(S100, unary("Abs")) == "bpu"


def test_nash_adds_numbers_of_some_types() -> None:
    numbers = Value("x", np.dtype(np.float64), MAP)
    verdict = S100.verdict(node("Add", [numbers, numbers], MAP), 11)
    assert (verdict.device, ids(verdict)) == ("cpu", ["Add.dtypes"])


def test_assumed_limits_are_marked() -> None:
    target = load_target("nash-e", assume="bernoulli2")
    verdict = target.verdict(conv(kernel=9), 11)
    assert verdict.device == "cpu"
    assert {violation.evidence for violation in verdict.violations} == {"assumed"}
    assert verdict.reasons == ("limits assumed from bernoulli2",)
    assert target.verdict(conv(), 11).device == "bpu"
    assert target.verdict(unary("Erf"), 11).reasons == ("limits assumed from bernoulli2",)


def chain(text: list[tuple[str, tuple[int, ...] | None]]) -> list[Node]:
    """Nodes one behind the other on a rank-4 value; each with a constant operand of the shape given, if any."""
    data, nodes = value("x", 1, 4, 8, 8), list[Node]()
    for op, shape in text:
        operands: list[Tensor] = [data] if shape is None else [data, weight(*shape)]
        data = value(f"v{len(nodes)}", 1, 4, 8, 8)
        nodes.append(Node(op, op, {}, operands, [data]))
    return nodes


@pytest.mark.parametrize(
    ("operators", "crashes"),
    [
        ([("MatMul", (8, 8)), ("Add", (8,)), ("MatMul", (8, 8))], True),
        ([("MatMul", (8, 8)), ("Relu", None), ("Add", (8,)), ("MatMul", (8, 8))], True),
        ([("MatMul", (8, 8)), ("Add", (8,)), ("Relu", None), ("MatMul", (8, 8))], False),
        ([("MatMul", (8, 8)), ("Add", (1, 1, 1, 8)), ("MatMul", (8, 8))], False),
        ([("MatMul", (8, 8)), ("Add", (8,)), ("Tanh", None)], False),
        ([("Tanh", None), ("Add", (8,)), ("MatMul", (8, 8))], False),
    ],
)
def test_bias_between_last_products(operators: list[tuple[str, tuple[int, ...] | None]], *, crashes: bool) -> None:
    nodes = chain(operators)
    graph = Graph("g")
    graph.nodes.extend(nodes)
    for made in nodes:
        made.graph = graph
    graph.outputs = [nodes[-1].outputs[0]]
    bias = next(n for n in nodes if n.op == "Add")
    assert ("Add.short_constant" in ids(X5.verdict(bias, 11))) is crashes
    assert device(X5, bias) == ("refused" if crashes else "bpu")


@pytest.mark.parametrize(("shape", "axis"), [((8,), -1), ((1, 1, 1, 8), -1), ((8,), 1)])
def test_gain_of_a_layer_normalisation_is_taken(shape: tuple[int, ...], axis: int) -> None:
    centred, mean, shifted, root, ratio, scaled = (value(n, 1, 4, 8, 8) for n in "abcdef")
    Node("ReduceMean", "m", {"axes": [axis]}, [centred], [mean])
    Node("Add", "e", {}, [mean, weight()], [shifted])
    Node("Sqrt", "s", {}, [shifted], [root])
    Node("Div", "d", {}, [centred, root], [ratio])
    gain = Node("Mul", "g", {}, [ratio, weight(*shape)], [scaled])
    bias = Node("Add", "b", {}, [scaled, weight(*shape)], [value("y", 1, 4, 8, 8)])
    for made in (gain, bias):
        assert f"{made.op}.short_constant" not in ids(X5.verdict(made, 11))


@pytest.mark.parametrize(("rows", "where"), [(8193, "bpu"), (65536, "bpu"), (65537, "cpu")])
def test_a_product_by_a_constant_has_as_many_rows_as_a_dim_may(rows: int, where: str) -> None:
    product = node("MatMul", [(1, rows, 8), weight(8, 16)], (1, rows, 16))
    assert device(X5, product) == where
