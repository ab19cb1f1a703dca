"""Every operator younger than opset 11: written out by a rule, by ONNX's definition, or refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from passes.functions import InlineFunctions
from passes.functions.definitions import DEFINED, REFUSED, Definition
from passes.substitute import RULES
from surgery.ir.function import definition
from surgery.ir.session import open_session
from surgery.pipeline.explain import explain
from surgery.pipeline.result import Status
from surgery.pipeline.run import run
from surgery.rewrite import inline
from surgery.target import load_target
from surgery.target.birth import births
from tests.passes import definitions
from tests.support import ROOT, apply_pass, model_of

WRITTEN = {
    "AffineGrid", "Celu", "Col2Im", "Einsum", "Gelu", "GroupNormalization", "HardSwish", "LayerNormalization", "Mish",
    "RMSNormalization", "Swish", "Trilu",
}  # fmt: skip
"""Those that substitute-ops has rules of its own for."""
YOUNG = {op for op, born in births().items() if born > 11}


def test_every_young_operator_is_decided_once() -> None:
    assert WRITTEN | DEFINED | REFUSED.keys() == YOUNG
    assert len(WRITTEN) + len(DEFINED) + len(REFUSED) == len(YOUNG)


@pytest.mark.parametrize("op", sorted(WRITTEN))
def test_written_by_a_rule(op: str) -> None:
    assert any(op in rule.roots and f"{op}.opset" in rule.cures for rule in RULES)


@pytest.mark.parametrize("op", sorted(DEFINED))
def test_defined_by_onnx(op: str) -> None:
    schema = onnx.defs.get_schema(op)
    assert schema.has_function or schema.has_context_dependent_function
    assert any(definitions.operator(name) == op for name in definitions.DEFINED)


@pytest.mark.parametrize("op", sorted(REFUSED))
def test_refused_ones_have_no_body_that_would_do(op: str) -> None:
    """What ONNX defines all the same draws, calls sequences, or follows from sizes alone, which folding sees to."""
    schema = onnx.defs.get_schema(op)
    allowed = {"Bernoulli", "SequenceMap", "BlackmanWindow", "HammingWindow", "HannWindow"}
    assert (schema.has_function or schema.has_context_dependent_function) == (op in allowed)


@pytest.mark.parametrize("name", definitions.DEFINED)
def test_what_comes_out(name: str) -> None:
    """The whole pipeline: same numbers, nothing young, and its own output stays as it is."""
    case = definitions.DEFINED[name]
    result = run(case.model(), march="bayes-e")
    assert result.verified == case.verified, result.reasons
    assert " ".join(n.op for n in result.model.nodes()) == case.after
    assert [n.op for n in result.model.nodes() if n.op in YOUNG] == []
    again = run(result.model.to_proto(), march="bayes-e", verify="off")
    assert [p.name for p in again.passes if p.applied] == []


@pytest.mark.parametrize("name", definitions.DEFINED)
def test_every_opset_has_a_body_that_its_operators_take(name: str) -> None:
    """onnx.checker looks at every model that the pass makes."""
    case = definitions.DEFINED[name]
    proto = case.model().to_proto()
    for opset in range(births()[definitions.operator(name)], onnx.defs.onnx_opset_version() + 1):
        proto.opset_import[0].version = opset
        model = case.model().load(proto)
        node = next(n for n in model.nodes() if n.op in YOUNG)
        assert definition(node, opset) is not None, opset
        done = apply_pass(model, InlineFunctions(), "bayes-e", verify=False)
        assert done.result.status is Status.APPLIED or "SwiGLU" in name, (opset, done.reasons)


CALLS = {
    "DFT": ("float[2,5,1]", "float[2,5,2]", "y = DFT (x)", 17),
    "GridSample": ("float[1,2,4,2]", "float[1,2,4,2]", "y = GridSample (x, x)", 16),
    "Bernoulli": ("float[2]", "float[2]", "y = Bernoulli (x)", 15),
    "BitwiseNot": ("int32[2]", "int32[2]", "y = BitwiseNot (x)", 18),
    "StringConcat": ("string[2]", "string[2]", "y = StringConcat (x, x)", 20),
}


@pytest.mark.parametrize("op", CALLS)
def test_refused_by_name(op: str) -> None:
    before, after, body, opset = CALLS[op]
    model = model_of(f"g ({before} x) => ({after} y) {{ {body} }}", opset=opset)
    explained = explain(model, "inline-functions", load_target("bayes-e"))
    assert explained.result.status is Status.REFUSED
    assert [e.reason for e in explained.events] == [f"{op} cannot be written in older operators: {REFUSED[op]}"]


def test_a_window_of_constant_size_is_folded() -> None:
    model = model_of("g (float[8] x) => (float[8] y) <int64 n = {8}> { w = HannWindow (n)  y = Mul (x, w) }", opset=17)
    result = run(model, march="bayes-e")
    assert [n.op for n in result.model.nodes()] == ["Mul"]
    assert result.verified == "full"


def test_refused_operands_that_no_body_fits() -> None:
    model = model_of("g (float[2] x) => (float[2] y) { y = Abs (x) }", opset=18)
    [node] = model.nodes()
    node.op = "CastLike"
    found = Definition().attempt(node, _Context(18))
    assert found.reason == "ONNX does not define CastLike of float32 at opset 18 by older operators"  # type: ignore[union-attr]


class _Context:
    def __init__(self, opset: int) -> None:
        self.opset = opset


def test_a_made_up_operator_has_no_definition() -> None:
    [node] = model_of("g (float[2] x) => (float[2] y) { y = Abs (x) }").nodes()
    assert definition(node, 17) is None
    node.op = "Nonsense"
    assert definition(node, 17) is None


def test_an_attribute_that_refers_to_another() -> None:
    reference = onnx.AttributeProto(name="alpha", ref_attr_name="by", type=onnx.AttributeProto.FLOAT)
    assert (inline.reference(reference), inline.reference(2.0)) == ("by", "")


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
def test_a_young_operator_in_a_body(march: str) -> None:
    model = model_of(
        "g (bool c, float[1,8] x, float[1,8] z) => (bool[1,8] y) "
        "{ y = If (c) <then_branch = a () => (bool[1,8] t) { t = GreaterOrEqual (x, z) }, "
        "else_branch = b () => (bool[1,8] u) { u = LessOrEqual (x, z) }> }"
    )
    done = apply_pass(model, InlineFunctions(), march)
    assert sorted(done.ops) == ["Equal", "Equal", "Greater", "If", "Less", "Or", "Or"]


def test_swiglu_computes_what_it_should() -> None:
    """onnxruntime has no kernel to compare with."""
    result = run(definitions.DEFINED["SwiGLU"].model(), march="bayes-e", verify="off")
    x = np.array([[-1e30, -3, -0.0, 0.5, 20], [1e-40, -1e-40, 88, -88, 1e10]], np.float32)
    y = open_session(result.model).run({"x": x})["y"]
    wide = x.astype(np.float64)
    np.testing.assert_allclose(y, wide / (1 + np.exp(-np.maximum(wide, -700))) * wide, rtol=1e-6, atol=1e-30)


MASKS = {
    "booleans": ("bool[3,3]", np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0]], bool)),
    "numbers": ("float[3,3]", np.array([[0, 0, -np.inf], [-np.inf] * 3, [0, -np.inf, -np.inf]], np.float32)),
    "large numbers": ("float[3,3]", np.array([[0, 0, -1e30], [-1e30] * 3, [0, -1e9, 3e4]], np.float32)),
}


@pytest.mark.parametrize("scale", [1e-40, 1e-3, 1, 1e4, 1e15])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("opset", [23, 24, 25])
def test_attention_at_the_ends_of_float32(mask: str, scale: float, opset: int) -> None:
    """A row that is masked altogether, and scores from nothing to the largest: as onnxruntime's own operator."""
    kind, array = MASKS[mask]
    shape = "float[1,2,3,4]"
    model = model_of(
        f"g ({shape} x, {kind} m) => ({shape} y) {{ y = Attention (x, x, x, m) }}", opset=opset, ir_version=10
    )
    after = run(model, march="bayes-e", verify="off").model
    feeds = {"x": (np.random.default_rng(0).normal(size=(1, 2, 3, 4)) * scale).astype(np.float32), "m": array}
    one, two = (open_session(m).run(feeds)["y"] for m in (model, after))
    assert "Softmax" in [n.op for n in after.nodes()]
    np.testing.assert_allclose(two, one, rtol=1e-5)
    np.testing.assert_allclose(two, attention(feeds["x"], array), rtol=1e-4, atol=1e-6 * scale)


def attention(x: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Self-attention in float64; a row that is masked altogether gives 0."""
    x = x.astype(np.float64)
    bias = np.where(mask, 0, -np.inf) if mask.dtype == bool else mask.astype(np.float64)
    scores = x @ x.swapaxes(-1, -2) / np.sqrt(x.shape[-1]) + bias
    top = scores.max(-1, keepdims=True)
    shares = np.exp(scores - np.where(np.isfinite(top), top, 0))
    return shares / np.maximum(shares.sum(-1, keepdims=True), 1e-300) @ x


def test_the_page_names_them_all() -> None:
    page = (ROOT / "docs" / "passes" / "inline-functions.md").read_text(encoding="utf-8")
    assert [op for op in sorted(DEFINED | REFUSED.keys()) if f"`{op}`" not in page] == []
    assert [reason for reason in REFUSED.values() if f"| {reason} |" not in page] == []
