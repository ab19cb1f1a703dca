"""Where a Concat is over a limit itself: what the parts are carried through, and what stops them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.clamp import ClampConvChannels
from passes.clamp.dilations import StateDilations
from surgery.pipeline.context import PassContext
from surgery.pipeline.result import Status
from surgery.rewrite import Exactness
from surgery.target import load_target
from tests.passes.clamp_marches import marches, seeded
from tests.support import Applied, apply_pass, model_of

SPLIT = ClampConvChannels()
CONV = {"w": (14, 4, 1, 1), "v": (5, 14, 1, 1), "b": (14,), "c": (5,)}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> str:
    return marches(tmp_path_factory.mktemp("marches"))["narrow"]


def between(body: str, march: str, out: str = "1,5,4,4", **weights: tuple[int, ...]) -> Applied:
    """Two convolutions with 14 channels of p to q between them, as ``body`` says."""
    text = f"""g (float[1,4,4,4] x, float[1,1,4,4] z) => (float[{out}] y) {{
        p = Conv (x, w, b)
        {body}
        y = Conv (q, v, c)
    }}"""
    applied = apply_pass(seeded(text, **CONV, **weights), SPLIT, march)
    target = load_target(march)
    if applied.result.status is Status.APPLIED:
        assert not any(target.verdict(n, applied.model.opset).violations for n in applied.model.nodes())
    return applied


@pytest.mark.parametrize(
    ("body", "ops", "weights"),
    [
        ("q = Relu (p)", ["Relu"], {}),
        ("r = Sigmoid (p) q = Mul (p, r)", ["Sigmoid", "Mul"], {}),
        ("q = Mul (p, k)", ["Mul"], {"k": (1, 14, 1, 1)}),
        ("q = Mul (p, k)", ["Mul"], {"k": (14, 1, 1)}),
        ("q = Mul (k, p)", ["Mul"], {"k": (4, 4)}),
        ("q = PRelu (p, k)", ["PRelu"], {"k": (14, 1, 1)}),
        ("q = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (p)", ["MaxPool"], {}),
        ("q = Conv <group = 14> (p, d)", ["Conv"], {"d": (14, 1, 1, 1)}),
        ("q = Sub (p, z)", ["Sub"], {}),
    ],
)
def test_carried(narrow: str, body: str, ops: list[str], weights: dict[str, tuple[int, ...]]) -> None:
    applied = between(body, narrow, **weights)
    assert sorted(applied.ops) == sorted(["Conv"] * 4 + ["Add"] + 2 * ops)


def test_carried_through_batch_normalisation(narrow: str) -> None:
    params = ", ".join(f"float[14] {n} = {{{','.join(str(1 + (i % 5) / 4) for i in range(14))}}}" for n in "klmn")
    text = f"""g (float[1,4,4,4] x) => (float[1,5,4,4] y) <{params}> {{
        p = Conv (x, w, b)
        q = BatchNormalization (p, k, l, m, n)
        y = Conv (q, v, c)
    }}"""
    applied = apply_pass(seeded(text, **CONV), SPLIT, narrow)
    assert [n.inputs[4].shape for n in applied.model.nodes() if n.op == "BatchNormalization"] == [(7,), (7,)]


def test_carried_into_a_classifier(narrow: str) -> None:
    text = """g (float[1,4,4,4] x) => (float[1,5] y) {
        p = Conv (x, w, b)
        r = Relu (p)
        s = GlobalAveragePool (r)
        f = Flatten (s)
        y = Gemm <transB = 1> (f, v, c)
    }"""
    applied = apply_pass(seeded(text, **{**CONV, "v": (5, 14)}), SPLIT, narrow)
    assert applied.ops.count("Gemm") == applied.ops.count("Flatten") == 2
    assert "Concat" not in applied.ops


def test_flatten_multiplies_the_sizes(narrow: str) -> None:
    text = """g (float[1,4,1,2] x) => (float[1,5] y) {
        p = Conv (x, w, b)
        f = Flatten (p)
        y = Gemm <transB = 1> (f, v)
    }"""
    applied = apply_pass(seeded(text, w=(10, 4, 1, 1), b=(10,), v=(5, 20)), SPLIT, narrow)
    assert [n.inputs[1].shape for n in applied.model.nodes() if n.op == "Gemm"] == [(5, 8), (5, 6), (5, 6)]


def test_a_reader_over_the_limits_is_cut_too(narrow: str) -> None:
    text = """g (float[1,4,4,4] x) => (float[1,3,4,4] y) {
        p = Conv (x, w, b)
        q = Conv (p, v)
        r = Relu (q)
        y = Conv (r, u)
    }"""
    applied = apply_pass(seeded(text, **{**CONV, "v": (12, 14, 1, 1)}, u=(3, 12, 1, 1)), SPLIT, narrow)
    assert applied.result.applied == 1
    assert applied.ops.count("Conv") == 2 + 4 + 2


def test_a_layer_ahead_that_is_over_the_limits_is_fed_in_parts(tmp_path: Path) -> None:
    wide = marches(tmp_path)["wide"]
    body = "p = Conv (x, w, b) q = Relu (p)"
    text = f"g (float[1,4,4,4] x) => (float[1,5,4,4] y) {{ {body} y = Conv (q, v, c) }}"
    applied = apply_pass(seeded(text, **CONV), SPLIT, wide)
    assert applied.ops == ["Conv", "Conv", "Relu", "Relu", "Conv", "Conv", "Add"], "no Concat to be split again"
    text = f"""g (float[1,4,4,4] x) => (float[1,14,4,4] p, float[1,5,4,4] y) {{ {body} y = Conv (q, v, c) }}"""
    applied = apply_pass(seeded(text, **CONV), SPLIT, wide)
    assert applied.ops == ["Conv", "Conv", "Concat", "Relu", "Split", "Conv", "Conv", "Add"]


def test_groups_of_the_reader_are_not_torn(tmp_path: Path) -> None:
    text = """g (float[1,4,4,4] x) => (float[1,4,4,4] y) {
        p = Conv (x, w)
        y = Conv <group = 2> (p, v)
    }"""
    applied = apply_pass(seeded(text, w=(20, 4, 1, 1), v=(4, 10, 1, 1)), SPLIT, marches(tmp_path)["narrow"])
    assert [n.inputs[1].shape[:2] for n in applied.model.nodes() if n.op == "Conv"] == [(5, 4)] * 4 + [(2, 5)] * 4


def test_several_readers(narrow: str) -> None:
    text = """g (float[1,4,4,4] x) => (float[1,5,4,4] y, float[1,3,4,4] z) {
        p = Conv (x, w, b)
        r = Relu (p)
        y = Conv (r, v, c)
        z = Conv (p, u)
    }"""
    applied = apply_pass(seeded(text, **CONV, u=(3, 14, 1, 1)), SPLIT, narrow)
    assert applied.ops.count("Conv") == 6


def test_a_concat_is_dissolved(narrow: str) -> None:
    text = """g (float[1,8,4,4] x, float[1,6,4,4] z) => (float[1,5,4,4] y) {
        p = Concat <axis = -3> (x, z)
        q = Relu (p)
        y = Conv (q, v, c)
    }"""
    applied = apply_pass(seeded(text, **CONV), SPLIT, narrow)
    assert applied.ops == ["Relu", "Relu", "Conv", "Conv", "Add"]
    assert [n.inputs[1].shape[1] for n in applied.model.nodes() if n.op == "Conv"] == [8, 6]


STOPPED = {
    "Softmax 'Softmax' cannot work on the parts": (
        "g (float[1,4,4,4] x) => (float[1,14,4,4] y) { p = Conv (x, w) y = Softmax <axis = 1> (p) }",
        {"w": (14, 4, 1, 1)}),
    "and 'q' is a graph output": (
        "g (float[1,4,4,4] x) => (float[1,14,4,4] q, float[1,5,4,4] y) {p = Conv (x, w) q = Relu (p) y = Conv (q, v)}",
        {"w": (14, 4, 1, 1), "v": (5, 14, 1, 1)}),
    "and 'p' is read in a body": (
        """g (bool c, float[1,4,4,4] x) => (float[1,14,4,4] y) {
            p = Conv (x, w)
            y = If (c) <then_branch = t () => (float[1,14,4,4] a) { a = Relu (p) },
                        else_branch = e () => (float[1,14,4,4] b) { b = Sigmoid (p) }>
        }""", {"w": (14, 4, 1, 1)}),
    "a part of Elu 'Elu' breaks Elu.device: cpu, allowed bpu": (
        "g (float[1,4,4,4] x) => (float[1,5,4,4] y) { p = Conv (x, w) q = Elu (p) y = Conv (q, v) }",
        {"w": (14, 4, 1, 1), "v": (5, 14, 1, 1)}),
    "Flatten 'Flatten' must merge the axes behind axis 0, of known sizes": (
        "g (float[1,4,4,4] x) => (float[14,16] y) { p = Conv (x, w) y = Flatten <axis = 2> (p) }",
        {"w": (14, 4, 1, 1)}),
    "MaxPool 'MaxPool' reads across the parts, which are cut along axis 2": (
        "g (float[1,9,4] x) => (float[1,9,13] y) { p = MatMul (x, w) y = MaxPool <kernel_shape = [2]> (p) }",
        {"w": (4, 14)}),
    "Conv 'Conv' sums over axis 1, the parts lie on 2": (
        "g (float[1,9,4] x) => (float[1,5,14] y) { p = MatMul (x, w) y = Conv (p, v) }",
        {"w": (4, 14), "v": (5, 9, 1)}),
    "Gemm 'Gemm' adds the parts as a bias": (
        """g (float[1,4,1,1] x) => (float[1,14] y) {
            p = Conv (x, w)
            f = Flatten (p)
            y = Gemm (a, b, f)
        }""", {"w": (14, 4, 1, 1), "a": (1, 3), "b": (3, 14)}),
    "Mul 'Mul' joins parts of different sizes": (
        """g (float[1,8,4,4] x, float[1,6,4,4] z) => (float[1,5,4,4] y) {
            p = Concat <axis = 1> (x, z)
            q = Conv (p, w)
            r = Mul (p, q)
            y = Conv (r, v)
        }""", {"w": (14, 14, 1, 1), "v": (5, 14, 1, 1)}),
    "the parts tear a group of Conv 'Conv'": (
        """g (float[1,8,4,4] x, float[1,6,4,4] z) => (float[1,4,4,4] y) {
            p = Concat <axis = 1> (x, z)
            y = Conv <group = 2> (p, w)
        }""", {"w": (4, 7, 1, 1)}),
    "the operands must have known sizes along axis 2": (
        """g (float[1,9,4,4] x, float[1,9,M,4] z) => (float[1,9,K,4] y) {
            p = Concat <axis = 2> (x, z)
            y = Relu (p)
        }""", {}),
}  # fmt: skip


@pytest.mark.parametrize("reason", STOPPED)
def test_stopped(narrow: str, reason: str) -> None:
    text, weights = STOPPED[reason]
    model = seeded(text, **weights)
    applied = apply_pass(model, SPLIT, narrow, verify="M" not in text.split("=>")[0])
    assert any(reason in r for r in applied.reasons), applied.reasons


def test_stopped_by_an_operand_of_unknown_shape(narrow: str) -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "own": 1]> g (float[1,4,4,4] x) => (float[1,14,4,4] y) {
        p = Conv (x, w)
        t = own.Thing (x)
        y = Mul (p, t)
    }"""
    applied = apply_pass(seeded(text, w=(14, 4, 1, 1)), SPLIT, narrow, verify=False)
    assert any("'t' has no known shape" in r for r in applied.reasons)


@pytest.mark.parametrize(
    ("march", "reason"),
    [
        ("uncut", "cutting 'x' breaks Slice.device: cpu, allowed bpu"),
        ("unsummed", "the sum of parts of 1 channels breaks Add.device: cpu, allowed bpu"),
    ],
)
def test_stopped_before_the_layer(tmp_path: Path, march: str, reason: str) -> None:
    text = "g (float[1,14,4,4] x) => (float[1,4,4,4] y) { y = Conv (x, w) }"
    applied = apply_pass(seeded(text, w=(4, 14, 1, 1)), SPLIT, marches(tmp_path)[march])
    assert applied.result.reason.startswith(reason)


def test_dilations_are_written_down_where_nothing_can_be_cut() -> None:
    text = "g (float[1,8,2,2] x) => (float[1,2056,2,2] y) { y = Conv (x, w) }"
    applied = apply_pass(seeded(text, opset=11, w=(2056, 8, 1, 1)), SPLIT, "bernoulli2")
    assert applied.ops == ["Conv"]
    assert next(applied.model.nodes()).attrs["dilations"] == [1, 1]
    assert applied.result.exactness is Exactness.EXACT
    assert "bernoulli2 has no Concat of 2056 channels, and 'y' is a graph output" in applied.reasons


def test_what_the_toolchain_would_cut_itself_is_cut() -> None:
    text = "g (float[1,2056,2,2] x) => (float[1,8,2,2] y) { y = Conv (x, w) }"
    applied = apply_pass(seeded(text, opset=11, w=(8, 2056, 1, 1)), SPLIT, "bernoulli2")
    assert [n.inputs[1].shape[1] for n in applied.model.nodes() if n.op == "Conv"] == [1028, 1028]


def test_channels_that_the_toolchain_would_cut_badly() -> None:
    text = """g (float[1,8,2,2] x) => (float[1,8,2,2] y) {
        p = Conv <dilations = [1, 1]> (x, w)
        y = Conv <dilations = [1, 1]> (p, v)
    }"""
    model = seeded(text, opset=11, w=(2500, 8, 1, 1), v=(8, 2500, 1, 1))
    refused = load_target("bernoulli2").verdict(next(model.nodes()), 11)
    assert (refused.device, refused.violations[0].constraint) == ("refused", "Conv.out_channels_step")
    assert apply_pass(model, SPLIT, "bernoulli2").ops == ["Conv"] * 4 + ["Add"]


def test_state_dilations_refuses() -> None:
    model = seeded(
        "g (float[1,2,2,2] x) => (float[1,2,2,2] y) { y = Conv <dilations = [1, 1]> (x, w) }", w=(2, 2, 1, 1)
    )
    node = next(model.nodes())
    assert str(StateDilations().attempt(node, PassContext(model))) == "the dilations are written down already"
    text = "g (float[1,2,2,2] x, float[] w) => (float[1,2,2,2] y) { y = Conv (x, w) }"
    computed = model_of(text.replace("float[] w", "float[a,b,c,d] w"))
    computed.graph.inputs[0].shape = computed.graph.inputs[1].shape = None
    match = StateDilations().attempt(next(computed.nodes()), PassContext(computed))
    assert str(match) == "the kernel has no known shape"


def test_grouped_readers(narrow: str) -> None:
    applied = between("q = Conv <group = 2, pads = [0, 0, 0, 0]> (p, d)", narrow, d=(14, 7, 1, 1))
    assert applied.ops.count("Conv") == 6, "two groups of seven are the parts"
    text = """g (float[1,4,4,4] x) => (float[1,5,4,4] y) {
        p = Conv (x, w)
        q = Conv <group = 3> (p, d)
        y = Conv (q, v, c)
    }"""
    weights = {"w": (15, 4, 1, 1), "d": (15, 5, 1, 1), "v": (5, 15, 1, 1), "c": (5,)}
    assert apply_pass(seeded(text, **weights), SPLIT, narrow).ops.count("Conv") == 9


LINKS = {
    "relu": ("Relu ({0})", {}),
    "silu": ("Sigmoid ({0}) {1}_ = Mul ({1}, {0})", {}),
    "scale": ("Mul ({0}, k)", {"k": (0, 1, 1)}),
    "pool": ("MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> ({0})", {}),
    "depthwise": ("Conv <group = 0, pads = [1, 1, 1, 1]> ({0}, d, e)", {"d": (0, 1, 3, 3), "e": (0,)}),
    "conv": ("Conv ({0}, f)", {"f": (0, 0, 1, 1)}),
}


@settings(max_examples=30, deadline=None, derandomize=True)
@given(channels=st.integers(9, 24), chain=st.lists(st.sampled_from(sorted(LINKS)), max_size=4))
def test_any_chain(narrow: str, channels: int, chain: list[str]) -> None:
    shapes, body, last = {"w": (channels, 3, 1, 1), "v": (5, channels, 1, 1)}, "", "p"
    for index, link in enumerate(chain):
        text, more = LINKS[link]
        body += f" t{index} = " + text.format(last, f"t{index}").replace("group = 0", f"group = {channels}")
        last = f"t{index}_" if link == "silu" else f"t{index}"
        shapes |= {name: tuple(size or channels for size in shape) for name, shape in more.items()}
    text = f"g (float[1,3,4,4] x) => (float[1,5,4,4] y) {{ p = Conv (x, w) {body} y = Conv ({last}, v) }}"
    applied = apply_pass(seeded(text, **shapes), SPLIT, narrow)
    target = load_target(narrow)
    assert not any(target.verdict(n, applied.model.opset).violations for n in applied.model.nodes())
