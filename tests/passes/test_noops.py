"""remove-noops: one row per no-op, one per refusal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.noops import RemoveNoops
from passes.noops.arithmetic import lossless
from surgery.pipeline.result import Status
from tests.matrix import VARIANTS, model_in, runs
from tests.support import SHARED, apply_pass

IN = "float[2,3,4,4] x"


def around(
    node: str, weights: str = "", *, inputs: str = IN, output: str = "float[?,?,?,?] y", after: str = "b"
) -> str:
    """``node`` makes b of a, between two functions that no rule touches."""
    held = f" <{weights}>" if weights else ""
    return f"g ({inputs}) => ({output}) {held} {{ a = Sin (x)  {node}  y = Cos ({after}) }}"


NOOPS = {
    "identity": ("b = Identity (a)", ""),
    "dropout": ("b = Dropout (a)", ""),
    "dropout with a mask that nothing reads": ("b, m = Dropout (a, r)", "float r = {0.5}"),
    "dropout not training": ("b = Dropout (a, r, t)", "float r = {0.5}, bool t = {0}"),
    "dropout of nothing": ("b = Dropout (a, r, t)", "float r = {0.0}, bool t = {1}"),
    "cast to the same": ("b = Cast <to = 1> (a)", ""),
    "reshape to the same": ("b = Reshape (a, s)", "int64[4] s = {2, 3, 4, 4}"),
    "reshape by zeros": ("b = Reshape (a, s)", "int64[4] s = {0, 0, -1, 4}"),
    "transpose to the same": ("b = Transpose <perm = [0, 1, 2, 3]> (a)", ""),
    "transpose there and back": (
        "t = Transpose <perm = [0, 2, 3, 1]> (a)  b = Transpose <perm = [0, 3, 1, 2]> (t)",
        "",
    ),
    "reversed twice": ("t = Transpose (a)  b = Transpose (t)", ""),
    "squeeze of nothing": ("b = Squeeze (a, s)", "int64[0] s = {}"),
    "unsqueeze of nothing": ("b = Unsqueeze (a, s)", "int64[0] s = {}"),
    "squeeze undone": ("u = Unsqueeze (a, s)  b = Squeeze (u, s)", "int64[1] s = {1}"),
    "concat of one": ("b = Concat <axis = 1> (a)", ""),
    "split into one": ("b = Split <axis = 1, num_outputs = 1> (a)", ""),
    "sum of one": ("b = Sum (a)", ""),
    "max of one": ("b = Max (a)", ""),
    "min of one": ("b = Min (a)", ""),
    "mean of one": ("b = Mean (a)", ""),
    "choice of the first": ("b = Where (m, a, k)", "bool[4] m = {1, 1, 1, 1}, float k = {0.5}"),
    "choice of the second": ("b = Where (m, k, a)", "bool m = {0}, float k = {0.5}"),
    "slice of everything": ("b = Slice (a, z, e, i)", "int64[2] z = {0, 0}, int64[2] e = {9, 9}, int64[2] i = {1, 2}"),
    "slice to the end": (
        "b = Slice (a, z, e, i)",
        "int64[1] z = {0}, int64[1] e = {9223372036854775807}, int64[1] i = {0}",
    ),
    "slice from minus the size": ("b = Slice (a, z, e, i)", "int64[1] z = {-3}, int64[1] e = {3}, int64[1] i = {1}"),
    "pad of nothing": ("b = Pad (a, p)", "int64[8] p = {0, 0, 0, 0, 0, 0, 0, 0}"),
    "expand to the same": ("b = Expand (a, s)", "int64[4] s = {2, 1, 4, 1}"),
    "expand by ones": ("b = Expand (a, s)", "int64[2] s = {1, 1}"),
    "tile by ones": ("b = Tile (a, s)", "int64[4] s = {1, 1, 1, 1}"),
    "times one": ("b = Mul (a, k)", "float k = {1}"),
    "one times": ("b = Mul (k, a)", "float[1,1] k = {1}"),
    "plus zeros per channel": ("b = Add (a, k)", "float[3,1,1] k = {0, 0, -0.0}"),
    "minus zero": ("b = Sub (a, k)", "float k = {0}"),
    "over one": ("b = Div (a, k)", "float k = {1}"),
    "to the power of one": ("b = Pow (a, k)", "float k = {1}"),
    "max pool of one": ("b = MaxPool <kernel_shape = [1, 1]> (a)", ""),
    "average pool of one": ("b = AveragePool <kernel_shape = [1, 1], strides = [1, 1]> (a)", ""),
    "resize by one": ("b = Resize (a, , k)", "float[4] k = {1, 1, 1, 1}"),
    "resize to the same": ('b = Resize <mode = "linear"> (a, , , s)', "int64[4] s = {2, 3, 4, 4}"),
    "negated twice": ("n = Neg (a)  b = Neg (n)", ""),
}


@pytest.mark.parametrize("case", NOOPS)
def test_each_noop(case: str) -> None:
    nodes, weights = NOOPS[case]
    applied = apply_pass(around(nodes, weights), RemoveNoops(), opset=18)
    assert applied.text == "a = Sin (x)\ny = Cos (a)"
    assert applied.result.exactness == "exact"


@pytest.mark.parametrize("op", ["Relu", "Abs", "Ceil", "Floor", "Round", "Sign"])
def test_what_is_idempotent_is_done_once(op: str) -> None:
    applied = apply_pass(around(f"c = {op} (a)  d = {op} (c)  b = {op} (d)"), RemoveNoops())
    assert applied.ops == ["Sin", op, "Cos"]


@pytest.mark.parametrize(
    ("kernel", "dilations", "left"),
    [([1, 1], [2, 2], [1, 1]), ([1, 2], [2, 2], [1, 2]), ([2, 1], [3, 4], [3, 1]), ([2, 2], [2, 2], None)],
    ids=str,
)
def test_a_dilation_where_the_kernel_is_1(kernel: list[int], dilations: list[int], left: list[int] | None) -> None:
    nodes = f"b = MaxPool <kernel_shape = {kernel}, dilations = {dilations}, pads = [0, 0, 2, 2]> (a)  c = Neg (b)"
    applied = apply_pass(f"g (float[1,2,6,6] x) => (float c) {{ a = Sin (x)  {nodes} }}", RemoveNoops(), opset=11)
    assert applied.model.graph.nodes[1].attrs["dilations"] == (left or dilations)
    assert applied.result.applied == int(left is not None)


def test_a_dilation_of_a_kernel_of_unknown_size() -> None:
    nodes = "b = Conv <dilations = [2, 2]> (a, v)  c = Neg (b)"
    applied = apply_pass(
        f"g (float[1,2,6,6] x, float[K,2,M,N] v) => (float c) {{ a = Sin (x)  {nodes} }}", RemoveNoops(), verify=False
    )
    assert any("the size of its kernel must be known" in reason for reason in applied.reasons)


INTEGERS = {
    "times one": ("b = Mul (x, k)", "int64 k = {1}"),
    "plus zero": ("b = Add (k, x)", "int64 k = {0}"),
    "over one": ("b = Div (x, k)", "int64 k = {1}"),
    "to the same type": ("b = Cast <to = 7> (x)", ""),
}


@pytest.mark.parametrize("case", INTEGERS)
def test_noops_on_integers(case: str) -> None:
    nodes, weights = INTEGERS[case]
    held = f"<{weights}>" if weights else ""
    applied = apply_pass(f"g (int64[4] x) => (int64[4] y) {held} {{ {nodes}  y = Abs (b) }}", RemoveNoops())
    assert applied.text == "y = Abs (x)"


@pytest.mark.parametrize(
    ("first", "middle", "last", "merged"),
    [
        ("float16", 1, 10, "y = Identity (x)"),
        ("float16", 1, 11, "y = Cast <to: int = 11> (x)"),
        ("int32", 7, 3, "y = Cast <to: int = 3> (x)"),
        ("uint8", 1, 7, "y = Cast <to: int = 7> (x)"),
        ("bool", 7, 1, "y = Cast <to: int = 1> (x)"),
    ],
)
def test_casts_that_lose_nothing_are_merged(first: str, middle: int, last: int, merged: str) -> None:
    names = {10: "float16", 11: "double", 3: "int8", 7: "int64", 1: "float"}
    text = f"g ({first}[4] x) => ({names[last]}[4] y) {{ c = Cast <to = {middle}> (x)  y = Cast <to = {last}> (c) }}"
    assert apply_pass(text, RemoveNoops()).text == merged


@pytest.mark.parametrize(
    ("source", "target", "kept"),
    [
        ("int8", "float16", True), ("int16", "float16", False), ("uint8", "float16", True),
        ("int32", "float32", False), ("int64", "float64", False), ("int16", "float32", True),
        ("float32", "float64", True), ("float64", "float32", False), ("bool", "float32", True),
        ("float32", "int64", False), ("uint8", "int8", False), ("uint8", "int16", True), ("int64", "bool", False),
    ],
)  # fmt: skip
def test_lossless(source: str, target: str, kept: bool) -> None:
    assert lossless(np.dtype(source), np.dtype(target)) is kept


def test_reshapes_are_merged_into_the_last() -> None:
    text = """g (float[2,3,4] x) => (float[6,4] y) <int64[1] s = {-1}, int64[1] t = {0}, int64[2] u = {6, -1}> {
        a = Reshape (x, s)  b = Unsqueeze (a, t)  c = Flatten (b)  y = Reshape (c, u) }"""
    assert apply_pass(text, RemoveNoops()).text == "y = Reshape (x, u)"


def test_a_zero_of_a_merged_reshape_is_written_out() -> None:
    text = """g (float[2,3,4] x) => (float[6,4] y) <int64[3] s = {6, 2, 2}, int64[2] u = {0, -1}> {
        a = Reshape (x, s)  y = Reshape (a, u) }"""
    applied = apply_pass(text, RemoveNoops())
    assert applied.ops == ["Reshape"]
    assert applied.model.graph.nodes[0].inputs[1].values.tolist() == [6, 4]


def test_transposes_are_merged() -> None:
    text = """g (float[2,3,4] x) => (float[4,2,3] y) {
        a = Transpose <perm = [1, 0, 2]> (x)  y = Transpose <perm = [2, 1, 0]> (a) }"""
    assert apply_pass(text, RemoveNoops()).text == "y = Transpose <perm: ints = [2, 0, 1]> (x)"


@pytest.mark.parametrize("op", ["ReduceMean", "ReduceMax", "GlobalAveragePool", "GlobalMaxPool"])
def test_reductions_over_axes_of_one(op: str) -> None:
    axes = " <axes = [2, 3]>" if op.startswith("Reduce") else ""
    applied = apply_pass(around(f"b = {op}{axes} (a)", inputs="float[2,3,1,1] x"), RemoveNoops())
    assert applied.ops == ["Sin", "Cos"]


def test_a_dim_may_be_open_where_the_others_say_it_all() -> None:
    text = around("b = Reshape (a, s)", "int64[3] s = {-1, 3, 4}", inputs="float[N,3,4] x", output="float[?,3,4] y")
    assert apply_pass(text, RemoveNoops()).ops == ["Sin", "Cos"]


def test_outputs_keep_their_names() -> None:
    """The inner value takes over the name of the output."""
    applied = apply_pass(
        "g (float[2] x) => (float[2] y, float[2] z) { y = Relu (x) a = Sin (x) z = Identity (a) }", RemoveNoops()
    )
    assert applied.text == "y = Relu (x)\nz = Sin (x)"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("g (float[2] x) => (float[2] y) { y = Identity (x) }", ["Identity"]),
        ("g (float[2] x) => (float[2] y) { y = Dropout (x) }", ["Identity"]),
        ("g (float[2] x) => (float[2] y) <bool m = {1}> { y = Where (m, x, x) }", ["Identity"]),
        ("g (float[2] x) => (float[2] y, float[2] z) { y = Relu (x) z = Identity (y) }", ["Relu", "Identity"]),
        ("g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Identity (w) }", ["Identity"]),
    ],
)
def test_an_output_keeps_a_node_of_its_own(text: str, left: list[str]) -> None:
    assert apply_pass(text, RemoveNoops()).ops == left


REFUSALS = {
    "has 2 parts, it must have one": ("b = Concat <axis = 0> (a, a)", ""),
    "casts float32 to int32, the types must be equal": (
        "c = Cast <to = 6> (a)  d = Abs (c)  b = Cast <to = 1> (d)",
        "",
    ),
    "no operand is constant": ("b = Mul (a, a)", ""),
    "input 1 must be constant": ("b = Sub (k, a)", "float k = {0}"),
    "every element of 'k' must be 1": ("b = Mul (a, k)", "float[3,1,1] k = {1, 1, 2}"),
    "every element of 'k' must be 0": ("b = Add (a, k)", "float k = {1e-30}"),
    "1x1x1x1x1 may broadcast 2x3x4x4": ("c = Add (a, k)  b = Squeeze (c)", "float[1,1,1,1,1] k = {0}"),
    "has steps [-1], every step must be 1": (
        "b = Slice (a, s, e, i, t)",
        "int64[1] s = {-1}, int64[1] e = {-9}, int64[1] i = {2}, int64[1] t = {-1}",
    ),
    "makes 2x2x4x4 of 2x3x4x4, the shapes must be known and equal": (
        "b = Slice (a, s, e, i)",
        "int64[1] s = {1}, int64[1] e = {9}, int64[1] i = {1}",
    ),
    "pads by [0, 0, 0, 1, 0, 0, 0, 0], every pad must be 0": (
        "b = Pad (a, p)",
        "int64[8] p = {0, 0, 0, 1, 0, 0, 0, 0}",
    ),
    "makes 6x4x4x1 of 2x3x4x4, the shapes must be equal, and known but for one dim": (
        "b = Reshape (a, s)",
        "int64[4] s = {6, 4, 4, 1}",
    ),
    "makes 4x3x4x4 of 2x3x4x4, the shapes must be known and equal": ("b = Tile (a, s)", "int64[4] s = {2, 1, 1, 1}"),
    "input 0 comes from Sin, it must come from Relu": ("b = Relu (a)", ""),
    "input 0 comes from Sin, it must come from Transpose": ("b = Transpose (a)", ""),
    "'c' is also read by 'Sigmoid', one reader must be the only one": (
        "c = Transpose <perm = [1,0,2,3]> (a)  d = Sigmoid (c)  e = Transpose <perm = [0,1,3,2]> (c)  b = Max (d, e)",
        "",
    ),
    "axes [0] after axes [0, 1], they must be the same": (
        "c = Unsqueeze (a, o)  d = Squeeze (c, z)  b = Squeeze (d, z)",
        "int64[2] o = {0, 1}, int64[1] z = {0}",
    ),
    "its shape must be constant": ("s = Shape (x)  c = Flatten (a)  b = Reshape (c, s)", ""),
    "has a window of [1, 2], every size must be 1": ("b = MaxPool <kernel_shape = [1, 2]> (a)", ""),
    "has strides [2, 1], every stride must be 1": ("b = MaxPool <kernel_shape = [1, 1], strides = [2, 1]> (a)", ""),
    "has scales [1.0, 1.0, 2.0, 1.0], every scale must be 1": ("b = Resize (a, , k)", "float[4] k = {1, 1, 2, 1}"),
    "makes 2x3x8x4 of 2x3x4x4, the shapes must be known and equal": (
        "b = Resize (a, , , s)",
        "int64[4] s = {2, 3, 8, 4}",
    ),
    "crops to a region of interest": (
        'b = Resize <coordinate_transformation_mode = "tf_crop_and_resize", mode = "linear"> (a, r, k)',
        "float[8] r = {0, 0, 0, 0, 1, 1, 0.5, 1}, float[4] k = {1, 1, 1, 1}",
    ),
    "the inner cast from float32 to int32 must keep every value": ("c = Cast <to = 6> (a)  b = Cast <to = 1> (c)", ""),
    "input 0 ('m') must be constant": ("m = Cast <to = 9> (x)  b = Where (m, a, a)", ""),
    "the mask holds both values, it must hold one": ("b = Where (m, a, a)", "bool[4] m = {1, 0, 1, 1}"),
    "makes 2x3x4x4 of 1, the shapes must be known and equal": (
        "b = Where (m, k, a)",
        "bool m = {1}, float[1] k = {0.5}",
    ),
    "training_mode must be absent or false, or the ratio 0": (
        "b = Dropout (a, r, t)",
        "float r = {0.5}, bool t = {1}",
    ),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_refusals(reason: str) -> None:
    nodes, weights = REFUSALS[reason]
    applied = apply_pass(around(nodes, weights), RemoveNoops(), verify="Dropout" not in nodes)
    assert reason in applied.reasons
    assert applied.result.status is Status.REFUSED


def test_a_mask_that_is_read_keeps_its_dropout() -> None:
    text = "g (float[4] x) => (float[4] y, bool[4] z) { a = Sin (x)  b, m = Dropout (a)  y = Cos (b)  z = Not (m) }"
    assert "its output 'm' is read, too" in apply_pass(text, RemoveNoops()).reasons


def test_integers_to_the_power_of_one_stay() -> None:
    """onnxruntime computes them in floating point, which rounds above 2**53."""
    text = "g (int64[4] x) => (int64[4] y) <int64 k = {1}> { a = Pow (x, k) y = Abs (a) }"
    assert "'x' has dtype int64, its kind must be one of 'f'" in apply_pass(text, RemoveNoops()).reasons


def test_floats_that_become_integers_keep_both_casts() -> None:
    text = "g (float16[4] x) => (int8[4] y) { a = Cast <to = 1> (x) y = Cast <to = 3> (a) }"
    assert "float16 out of the range of int8 may come out otherwise" in apply_pass(text, RemoveNoops()).reasons


def test_broadcasting_constants_stay() -> None:
    text = "g (float[N,4] x) => (float[M,4] y) <float[3,1] k = {0, 0, 0}> { a = Add (x, k)  y = Relu (a) }"
    assert "3x1 may broadcast Nx4" in apply_pass(text, RemoveNoops(), inputs={"x": np.ones((1, 4), np.float32)}).reasons


def test_dropout_of_old_opsets() -> None:
    """Before opset 7 it drops unless it is told that this is a test."""
    told = "g (float[4] x) => (float[4] y) { a = Tanh (x) b = Dropout <is_test = 1> (a) y = Exp (b) }"
    assert apply_pass(told, RemoveNoops(), opset=6, verify=False).ops == ["Tanh", "Exp"]
    silent = told.replace(" <is_test = 1>", "")
    assert "is_test is 0, it must be 1" in apply_pass(silent, RemoveNoops(), opset=6, verify=False).reasons


def test_attributes_of_old_opsets() -> None:
    text = """g (float[2,3,4,4] x) => (float[2,3,4,4] y) {
        a = Slice <axes = [1], starts = [0], ends = [3]> (x)  b = Pad <pads = [0,0,0,0,0,0,0,0]> (a)
        c = Unsqueeze <axes = [1]> (b)  d = Squeeze <axes = [1]> (c)  e = Upsample <scales = [1.0,1.0,1.0,1.0]> (d)
        y = Cos (e) }"""
    assert apply_pass(text, RemoveNoops(), opset=8).ops == ["Cos"]


MIXED = """g (float[2,3,4] x) => (float[2,3,4] y) <float k = {1}, int64[3] s = {0, 0, -1}> {
    a = Sin (x)  b = Identity (a)  c = Mul (b, k)  d = Dropout (c)  e = Relu (d)  f = Relu (e)  y = Cos (f) }"""


@pytest.mark.parametrize("variant", VARIANTS)
def test_everywhere(variant: str) -> None:
    applied = apply_pass(model_in(variant, MIXED), RemoveNoops(), verify=runs(variant))
    assert applied.result.status is Status.APPLIED
    assert not {"Dropout", "Mul"} & set(applied.ops)
    assert variant == "tapped" or applied.ops.count("Relu") == (2 if variant == "in_if" else 1)


@pytest.mark.parametrize("opset", [11, 13, 17, 23])
def test_every_opset(opset: int) -> None:
    assert apply_pass(MIXED, RemoveNoops(), opset=opset).ops == ["Sin", "Relu", "Cos"]


STEPS = st.sampled_from(
    ["Identity ({0})", "Mul ({0}, one)", "Relu ({0})", "Transpose <perm = [0, 2, 1]> ({0})", "Reshape ({0}, same)",
     "Reshape ({0}, flat)", "Unsqueeze ({0}, first)", "Squeeze ({0})", "Neg ({0})", "Cast <to = 11> ({0})",
     "Cast <to = 1> ({0})", "Add ({0}, {0})", "Floor ({0})"]
)  # fmt: skip


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(STEPS, min_size=2, max_size=10))
def test_random_chains_keep_their_numbers(steps: list[str]) -> None:
    """Whatever follows whatever, numbers, shapes and types stay (asserted by apply_pass)."""
    lines, wide, rank = ["v0 = Identity (x)"], False, 3
    for step in steps:
        rank = {"Reshape ({0}, flat)": 1, "Reshape ({0}, same)": 3, "Unsqueeze ({0}, first)": rank + 1}.get(step, rank)
        if "Squeeze (" in step and "Un" not in step:
            rank = 1 if rank == 1 else 3
        if ("Transpose" in step and rank != 3) or (step.startswith("Mul") and wide):
            continue
        wide = step.startswith("Cast <to = 11") or (wide and not step.startswith("Cast"))
        lines.append(f"v{len(lines)} = {step.format(f'v{len(lines) - 1}')}")
    kind = "double" if wide else "float"
    text = f"""g (float[2,3,4] x) => ({kind} y) <float one = {{1}}, int64[3] same = {{2, 3, 4}}, int64[1] flat = {{-1}},
        int64[1] first = {{0}}> {{ {"  ".join(lines)}  y = ReduceSum <keepdims = 0> (v{len(lines) - 1}) }}"""
    apply_pass(text, RemoveNoops())


@pytest.mark.shared
def test_twenty_thousand_nodes() -> None:
    from surgery.ir import Model
    from surgery.pipeline.manager import Manager

    model = Model.load(SHARED / "corpus" / "edge" / "hm_wide_20000nodes_op13.onnx")
    [result] = Manager(model).run([("noops", RemoveNoops())])
    assert result.applied == 2500
