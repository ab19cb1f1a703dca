"""Substitutions of paddings, poolings and normalisations over random shapes, held against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.rank import NormaliseRank
from passes.share import ShareEquals
from passes.substitute import SubstituteOps
from surgery.ir import Model
from surgery.pipeline.result import Status
from tests.passes.test_linear import net
from tests.support import apply_pass

pytestmark = pytest.mark.usefixtures("paying")
MANY = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def substituted(model: Model, march: str = "bernoulli2") -> list[str]:
    """The operators that come out, verified; something has to."""
    done = apply_pass(model, SubstituteOps(), march)
    assert done.result.status is Status.APPLIED, done.reasons
    return done.ops


@MANY
@given(st.data())
def test_pads(data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(["reflect", "wrap"]))
    sizes = [data.draw(st.integers(4, 9)) for _ in "hw"]
    pads = [data.draw(st.integers(0, 3)) for _ in range(4)]
    if not any(pads):
        pads[0] = 1
    held = {"p": np.array([0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]])}
    x, opset = f"float[2,3,{sizes[0]},{sizes[1]}]", 19 if mode == "wrap" else 11
    assert "Pad" not in substituted(net(f'y = Pad <mode = "{mode}"> (x, p)', x, "", opset, **held), "bayes-e")


@MANY
@given(st.data())
def test_maxima(data: st.DataObject) -> None:
    kernel = [data.draw(st.integers(65, 90)), data.draw(st.integers(1, 5))]
    strides = [data.draw(st.integers(1, 3)) for _ in "hw"]
    pads = [data.draw(st.integers(0, size // 2)) for size in (*kernel, *kernel)]
    body = f"y = MaxPool <kernel_shape = {kernel}, strides = {strides}, pads = {pads}> (x)"
    assert substituted(net(body, "float[1,2,100,9]", "", 11)) == ["MaxPool", "MaxPool"]


@MANY
@given(st.integers(2, 7), st.integers(2, 7), st.integers(1, 6), st.integers(1, 3))
def test_means(a: int, b: int, width: int, count: int) -> None:
    if a * b <= 7:
        a, b = a + 4, b + 4
    kernel = [a * b, width]
    body = f"y = AveragePool <kernel_shape = {kernel}, strides = {kernel}> (x)"
    ops = substituted(net(body, f"float[1,3,{a * b * count},{width * 2}]", "", 11))
    assert set(ops) == {"AveragePool"}


@MANY
@given(st.data())
def test_groups(data: st.DataObject) -> None:
    groups = data.draw(st.integers(1, 4))
    share = data.draw(st.integers(2 if groups == 1 else 1, 4))
    sizes = [data.draw(st.integers(2, 9)) for _ in "hw"]
    shape = [1, groups * share, *sizes]
    held: dict[str, Any] = {"g": np.array([0, groups, -1]), "k": np.array(shape), "a": (groups,), "b": (groups,)}
    body = "r = Reshape (x, g)  n = InstanceNormalization (r, a, b)  y = Reshape (n, k)"
    ops = substituted(net(body, f"float{shape}", "", 11, **held))
    assert "InstanceNormalization" not in ops


def test_the_scale_of_a_single_channel_is_not_stretched_on_the_x3() -> None:
    """It is one computed element, by which that march multiplies on the CPU."""
    held: dict[str, Any] = {"g": np.array([0, 1, -1]), "k": np.array([1, 1, 6, 6]), "a": (1,), "b": (1,)}
    body = "r = Reshape (x, g)  n = InstanceNormalization (r, a, b)  y = Reshape (n, k)"
    done = apply_pass(net(body, "float[1,1,6,6]", "", 11, **held), SubstituteOps(), "bernoulli2")
    assert done.result.status is Status.NOT_KEPT
    assert any("Mul.element stretched_element=yes" in reason for reason in done.reasons)


@MANY
@given(st.sampled_from(["ReduceMean", "ReduceSum", "ReduceMax"]), st.integers(1, 9), st.booleans())
def test_reductions_of_a_squeeze(op: str, length: int, front: bool) -> None:
    axes = [1] if front else [2]
    body = f"s = Squeeze <axes = [2]> (x)  y = {op} <axes = {axes}, keepdims = 0> (s)"
    apply_pass(net(body, f"float[2,3,1,{length}]", "", 11), NormaliseRank(), "bernoulli2")


@MANY
@given(st.lists(st.tuples(st.sampled_from(["Sin", "Neg", "Relu", "Add", "Mul"]), st.integers(0, 9), st.integers(0, 9)),
                min_size=2, max_size=9))  # fmt: skip
def test_what_is_shared(steps: list[tuple[str, int, int]]) -> None:
    names, body = ["x"], []
    for index, (op, a, b) in enumerate(steps):
        operands = [names[i % len(names)] for i in ((a, b) if op in ("Add", "Mul") else (a,))]
        body.append(f"t{index} = {op} ({', '.join(operands)})")
        names.append(f"t{index}")
    read = "  ".join([*body, f"y = Sum ({', '.join(names[1:])})"])
    done = apply_pass(net(read, "float[2,3]", "float[2,3]", 13), ShareEquals())
    assert done.result.drift_total in (None, 0.0)


@MANY
@given(st.integers(2, 9), st.integers(1, 12), st.integers(1, 4), st.integers(0, 2))
def test_the_first_of_equal_maxima_is_marked(channels: int, depth: int, levels: int, off: int) -> None:
    """Few levels make many equal maxima; a depth below the channels leaves some places without a mark."""
    held = {"d": np.array(depth), "v": np.array([off, 1], np.float32), "l": np.float32(levels)}
    body = "t = Tanh (x)  m = Mul (t, l)  f = Round (m)  a = Clip (f, n, l)  i = ArgMax <axis = 1, keepdims = 0> (a)"
    model = net(f"{body}  y = OneHot <axis = 1> (i, d, v)", f"float[2,{channels},4,5]", "", 13, n=-held["l"], **held)
    assert "OneHot" not in substituted(model, "bayes-e")
