"""clamp-conv-channels, mode pad: which channels are added, where they end, and what refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from passes.clamp import ClampConvChannels
from passes.clamp.pad import PadChannels
from surgery.drift.inputs import make_inputs
from surgery.drift.verifier import Verifier
from surgery.ir import Model
from surgery.ir.edit import Editor
from surgery.pipeline.context import PassContext
from surgery.pipeline.passes import PassRun
from surgery.pipeline.result import Status
from surgery.rewrite import Rewriter
from surgery.rewrite.engine import Stats
from surgery.target import load_target
from tests.passes.clamp_marches import marches, seeded
from tests.support import apply_pass, interface

CONV = {"w": (30, 4, 1, 1), "b": (30,), "v": (5, 30, 3, 3), "c": (5,)}


@pytest.fixture(scope="module")
def march(tmp_path_factory: pytest.TempPathFactory) -> str:
    return marches(tmp_path_factory.mktemp("marches"))["wide"]


def pad(model: Model, march: str, multiple: int = 8) -> tuple[Model, Stats]:
    """The model with every match applied, whether it pays or not; judged as a rounding change."""
    padded = model.copy()
    ctx, rw = PassContext(padded, load_target(march)), Rewriter(padded.graph, padded.opset, Editor())
    step = ClampConvChannels(mode="pad", multiple=multiple)
    stats = step.run(PassRun(padded, ctx, rw)).stats
    padded.infer()
    padded.check()
    judged = Verifier(model, make_inputs(model, samples=2)).check(padded, "rounding")
    assert judged.ok, judged.reason
    assert interface(padded) == interface(model)
    return padded, stats


def weights(model: Model) -> list[tuple[int, ...]]:
    return [n.inputs[1].shape for n in model.nodes() if n.op in ("Conv", "ConvTranspose", "Gemm", "MatMul")]


def test_pad_between_convolutions(march: str) -> None:
    text = """g (float[1,4,6,6] x) => (float[1,5,4,4] y) {
        p = Conv (x, w, b)
        s = Sigmoid (p)
        q = Mul (p, s)
        y = Conv (q, v, c)
    }"""
    padded, stats = pad(seeded(text, **CONV), march)
    assert weights(padded) == [(32, 4, 1, 1), (5, 32, 3, 3)]
    assert [n.op for n in padded.nodes()] == ["Conv", "Sigmoid", "Mul", "Conv"]
    assert stats.fired == {"pad-channels": 1}


def test_pad_through_constants_and_depthwise(march: str) -> None:
    text = """g (float[1,4,6,6] x) => (float[1,5,4,4] y) {
        p = Conv (x, w, b)
        m = Mul (p, k)
        d = Conv <group = 30, pads = [1, 1, 1, 1]> (m, u, b)
        r = PRelu (d, k)
        y = Conv (r, v, c)
    }"""
    padded, _ = pad(seeded(text, **CONV, k=(30, 1, 1), u=(30, 1, 3, 3)), march)
    assert weights(padded) == [(32, 4, 1, 1), (32, 1, 3, 3), (5, 32, 3, 3)]
    assert [n.attrs.get("group") for n in padded.nodes() if n.op == "Conv"] == [None, 32, None]


def test_pad_into_a_classifier(march: str) -> None:
    text = """g (float[1,4,2,2] x) => (float[1,5] y) {
        p = ConvTranspose (x, w, b)
        f = Flatten (p)
        h = Gemm <transB = 1> (f, v, c)
        y = MatMul (h, u)
    }"""
    shapes = {"w": (4, 6, 1, 1), "b": (6,), "v": (7, 24), "c": (1,), "u": (7, 5)}
    padded, stats = pad(seeded(text, **shapes), march)
    assert weights(padded) == [(4, 8, 1, 1), (8, 32), (8, 5)]
    assert stats.applied == 2


def test_a_single_channel(march: str) -> None:
    text = "g (float[1,4,2,2] x) => (float[1,5,2,2] y) { p = Conv (x, w, b) y = Conv (p, v) }"
    padded, _ = pad(seeded(text, w=(1, 4, 1, 1), b=(1,), v=(5, 1, 1, 1)), march)
    assert weights(padded) == [(8, 4, 1, 1), (5, 8, 1, 1)]


REFUSALS = {
    "30 output channels are a multiple of 2 already": (2, "p = Conv (x, w, b) y = Conv (p, v, c)", {}),
    "'p' would have 32 channels, and 'p' is a graph output": (8, "p = Conv (x, w, b) y = Conv (p, v, c)", {}),
    "Log 'Log' may be infinite where a channel is zero": (8, "q = Conv (x, w, b) p = Log (q) y = Conv (p, v, c)", {}),
    "Conv 'Conv_1' has groups of more than one channel": (
        8, "q = Conv (x, w, b) p = Conv <group = 2> (q, u) y = Conv (p, v, c)", {"u": (30, 15, 1, 1)}),
    "it has 2 groups, only a layer of one can be filled up": (
        8, "q = Conv (x, w, b) p = Conv <group = 2> (q, u) y = Conv (p, v, c)", {"u": (30, 15, 1, 1)}),
    "the bias is computed, only a constant one can be filled up": (
        8, "q = Conv (x, w, z) p = Relu (q) y = Conv (p, v, c)", {}),
    "and Softmax 'Softmax' cannot work on the parts": (
        8, "q = Conv (x, w, b) p = Softmax <axis = 1> (q) y = Conv (p, v, c)", {}),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSALS)
def test_refusals(march: str, reason: str) -> None:
    multiple, body, more = REFUSALS[reason]
    tapped = ", float[1,30,6,6] p" if "graph output" in reason else ""
    text = f"g (float[1,4,6,6] x, float[30] z) => (float[1,5,4,4] y{tapped}) {{ {body} }}"
    model = seeded(text, **CONV, **more)
    ctx, rw = PassContext(model, load_target(march)), Rewriter(model.graph, model.opset, Editor())
    step = ClampConvChannels(mode="pad", multiple=multiple)
    stats = step.run(PassRun(model, ctx, rw, trace=True)).stats
    assert any(reason in r for r in stats.reasons), stats.reasons


def test_pad() -> None:
    text = "g (float[1,4,6,6] x) => (float[1,5,4,4] y) { p = Conv (x, w, b) y = Conv (p, v, c) }"
    padded, _ = pad(seeded(text, **CONV), "bayes-e", multiple=16)
    assert weights(padded) == [(32, 4, 1, 1), (5, 32, 3, 3)]
    rule = PadChannels()
    model = seeded(text, **CONV)
    match = rule.attempt(next(model.nodes()), PassContext(model, load_target("bayes-e")))
    assert match.steps[0].outputs == 2, "the march's own multiple is 16"


def test_pad_not_kept(tmp_path: Path) -> None:
    text = "g (float[1,4,6,6] x) => (float[1,5,4,4] y) { p = Conv (x, w, b) y = Conv (p, v, c) }"
    model = seeded(text, opset=11, **CONV)
    applied = apply_pass(model, ClampConvChannels(mode="pad", multiple=64), "bayes-e")
    assert applied.result.status is Status.NOT_KEPT
    assert "predicted to save" in applied.result.reason
    without = apply_pass(model, ClampConvChannels(mode="pad"), marches(tmp_path)["wide"])
    assert without.reasons == ["no cost coefficients: whether it pays cannot be said"] * 2
