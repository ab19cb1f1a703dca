"""canonical-activations: activations recognised by what they compute, and written as one lookup."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

import surgery
from passes.activations import CanonicalActivations
from passes.activations.rules import FORMS
from surgery.ir import Model
from surgery.pipeline.result import Status
from tests.support import Applied, apply_pass, proto_of

NUMBERS = {
    "half": 0.5, "one": 1.0, "two": 2.0, "r2": 2**0.5, "ir2": 2**-0.5, "three": 3.0, "six": 6.0, "sixth": 1 / 6,
    "zero": 0.0, "mone": -1.0, "c": 0.044715, "s": (2 / np.pi) ** 0.5, "q": 1.702, "big": 88.0, "mbig": -88.0,
    "near": 0.7071,
}  # fmt: skip


def net(body: str, opset: int = 11, shape: str = "float[1,4,5,5]", **constants: Any) -> Model:
    """The model of ``body`` from x to y, in which the names of NUMBERS are constants."""
    proto = proto_of(f"g ({shape} x) => ({shape} y) {{ {body} }}", opset=opset)
    kind = np.float16 if shape.startswith("float16") else np.float32
    for name, value in {**NUMBERS, **constants}.items():
        read = any(f"{sep}{name}{end}" in body for sep in (" ", "(") for end in (",", ")"))
        if read and f" {name} = " not in f" {body}":
            proto.graph.initializer.append(numpy_helper.from_array(np.asarray(value, kind), name))
    return Model.load(proto)


def written(body: str, **options: Any) -> Applied:
    """What the pass makes of it, verified."""
    return apply_pass(net(body, **options), CanonicalActivations())


ERF = ["Div", "Erf", "Add", "Mul", "Mul"]
OTHERWISE = {
    "GELU of half of x": ("u = Div (x, r2)  e = Erf (u)  f = Add (e, one)  h = Mul (x, half)  y = Mul (h, f)", ERF),
    "GELU of half a sum": ("u = Div (x, r2)  e = Erf (u)  f = Add (e, one)  h = Mul (f, half)  y = Mul (h, x)", ERF),
    "GELU by a product": ("u = Mul (x, ir2)  e = Erf (u)  f = Add (e, one)  g = Mul (x, f)  y = Mul (g, half)", ERF),
    "GELU by halves": ("u = Div (x, r2)  e = Erf (u)  f = Add (one, e)  g = Mul (x, f)  y = Div (g, two)", ERF),
    "SiLU by Exp": ("n = Neg (x)  e = Exp (n)  f = Add (e, one)  y = Div (x, f)", ["Sigmoid", "Mul"]),
    "SiLU by a product": ("n = Mul (x, mone)  e = Exp (n)  f = Add (one, e)  y = Div (x, f)", ["Sigmoid", "Mul"]),
    "Sigmoid by Reciprocal": ("n = Neg (x)  e = Exp (n)  f = Add (e, one)  y = Reciprocal (f)", ["Sigmoid"]),
    "Sigmoid by Tanh": ("u = Mul (x, half)  t = Tanh (u)  f = Add (t, one)  y = Mul (f, half)", ["Sigmoid"]),
    "Tanh by Sigmoid": ("u = Mul (x, two)  t = Sigmoid (u)  d = Mul (t, two)  y = Sub (d, one)", ["Tanh"]),
    "Mish by Log": (
        "e = Exp (x)  f = Add (e, one)  p = Log (f)  t = Tanh (p)  y = Mul (x, t)", ["Softplus", "Tanh", "Mul"]
    ),
    "Softplus by Log": ("e = Exp (x)  f = Add (e, one)  y = Log (f)", ["Softplus"]),
    "HardSwish by Min and Max": (
        "a = Add (x, three)  m = Max (a, zero)  n = Min (m, six)  p = Mul (x, n)  y = Div (p, six)",
        ["HardSigmoid", "Mul"],
    ),
    "HardSigmoid by Clip": ("a = Add (x, three)  c = Clip (a, zero, six)  y = Mul (c, sixth)", ["HardSigmoid"]),
    "HardSigmoid by Relu": ("a = Add (x, three)  r = Relu (a)  c = Min (r, six)  y = Div (c, six)", ["HardSigmoid"]),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERWISE)
def test_the_same_function(case: str) -> None:
    body, after = OTHERWISE[case]
    assert written(body).ops == after


@pytest.mark.parametrize("name", FORMS)
def test_what_is_one_lookup_stays(name: str) -> None:
    for form in FORMS[name]:
        body = form.split("=>", 1)[1].split("{", 1)[1].rsplit("}", 1)[0].replace(": float", "")
        done = written(" ".join(body.split()))
        assert done.result.status is not Status.APPLIED
        assert f"{name} is in a form that is one lookup already" in done.reasons


LEFT = {
    "another function": ("t = Tanh (x)  y = Mul (t, half)", "computes no known activation of one value"),
    "constants that are rounded": (
        "u = Mul (x, near)  e = Erf (u)  f = Add (e, one)  g = Mul (x, f)  y = Mul (g, half)",
        "computes no known activation",
    ),
    "a bound far away": (
        "n = Neg (x)  c = Clip (n, mbig, big)  e = Exp (c)  f = Add (e, one)  y = Div (x, f)",
        "computes no",
    ),
    "two values": ("s = Sin (x)  t = Sigmoid (s)  y = Mul (x, t)", "computes no known activation of one value"),
    "a number per channel": (
        "p = Mul (x, v)  e = Exp (p)  y = Add (e, one)",
        "its constants are no single small numbers",
    ),
}


@pytest.mark.parametrize("case", LEFT)
def test_what_is_left(case: str) -> None:
    body, reason = LEFT[case]
    done = written(body, v=np.ones((4, 1, 1)))
    assert done.result.status is not Status.APPLIED
    assert any(reason in said for said in done.reasons), done.reasons


def test_what_is_read_inside_stays() -> None:
    text = "n = Neg (x)  e = Exp (n)  f = Add (e, one)  z = Div (x, f)  y = Add (z, e)"
    assert written(text).ops == ["Neg", "Exp", "Add", "Div", "Add"]


def test_half_precision_is_compared_as_it_is() -> None:
    text = "u = Div (x, r2)  e = Erf (u)  f = Add (e, one)  h = Mul (x, half)  y = Mul (h, f)"
    assert written(text, opset=17, shape="float16[1,4,5,5]").result.status is not Status.APPLIED


TANH = "p = Pow (x, three)  m = Mul (p, c)  n = Add (x, m)  o = Mul (n, s)  t = Tanh (o)  f = Add (t, one)"
NEAR = {
    "tanh": f"{TANH}  h = Mul (x, half)  y = Mul (h, f)",
    "tanh of products": TANH.replace("p = Pow (x, three)", "w = Mul (x, x)  p = Mul (w, x)")
    + "  g = Mul (x, f)  y = Mul (g, half)",
    "sigmoid": "u = Mul (x, q)  e = Sigmoid (u)  y = Mul (x, e)",
}


@pytest.mark.parametrize("case", NEAR)
def test_nearby_only_within_a_budget(case: str) -> None:
    model = net(NEAR[case])
    assert apply_pass(model, CanonicalActivations()).result.status is not Status.APPLIED
    step = CanonicalActivations(approximate=True)
    bound = 0.021 if case == "sigmoid" else 5e-4
    assert apply_pass(model, step, budget={"max_abs": bound}).ops == ERF
    pipeline = surgery.Pipeline.of({"canonical-activations": {"approximate": True}})
    done = surgery.run(model, march="bayes-e", pipeline=pipeline, budget={"max_abs": bound / 100})
    assert done.report.passes[0].status == "rolled-back"


NAMED, ARITHMETIC = ["one", "half", "two"], ["Add", "Mul", "Sub", "Div"]


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_random_chains_keep_their_numbers(data: st.DataObject) -> None:
    """Whatever is recognised in a random chain gives its numbers: apply_pass holds them against each other."""
    unary = ["Neg", "Exp", "Sigmoid", "Tanh", "Erf", "Relu", "Softplus"]
    names, body = ["x"], []
    for index in range(data.draw(st.integers(2, 7))):
        a = data.draw(st.sampled_from(names))
        kind = data.draw(st.sampled_from(["unary", "number", "pair"]))
        if kind == "unary":
            text = f"{data.draw(st.sampled_from(unary))} ({a})"
        else:
            others, ops = (NAMED, ARITHMETIC) if kind == "number" else (names, ARITHMETIC[:2])
            text = f"{data.draw(st.sampled_from(ops))} ({a}, {data.draw(st.sampled_from(others))})"
        names.append(f"t{index}")
        body.append(f"t{index} = {text}")
    written("  ".join([*body, f"y = Identity ({names[-1]})"]))
