"""The ways to legalise a node: what each would take, which is chosen, and what `explain` says of them."""

from __future__ import annotations

import pytest

import surgery
from passes.linear import TileKernels
from surgery.ir import Model
from surgery.pipeline.explain import explain
from surgery.report.trace import Reason
from surgery.report.view import page, to_html, to_markdown
from surgery.rewrite.ways import Found, Way, cheapest
from surgery.target import load_target
from tests.passes.clamp_marches import seeded
from tests.support import apply_pass


def stem(side: int = 11, stride: int = 4) -> Model:
    """The first layer of AlexNet on a small image: a kernel that the X3 does not take."""
    text = f"""g (float[1,3,63,63] x) => (float[1,64,{(67 - side) // stride + 1},{(67 - side) // stride + 1}] y) {{
        y = Conv <pads = [2, 2, 2, 2], strides = [{stride}, {stride}]> (x, w)
    }}"""
    return seeded(text, opset=11, w=(64, 3, side, side))


def dilated(dilation: int, channels: int = 64) -> Model:
    """A 3x3 convolution of 32x32 whose kernel has so much space between its taps."""
    text = f"""g (float[1,{channels},32,32] x) => (float[1,{channels},32,32] y) {{
        y = Conv <pads = {[dilation] * 4}, dilations = {[dilation] * 2}> (x, w)
    }}"""
    return seeded(text, opset=11, w=(channels, channels, 3, 3))


def told(model: Model, pass_: str, march: str = "bernoulli2") -> tuple[Reason, ...]:
    return surgery.explain(model, pass_, march=march).reasons


def test_the_plan_and_what_was_rejected_for_it() -> None:
    reason = next(r for r in told(stem(), "tile-kernels") if r.fires)
    chosen, *others = reason.ways
    assert (chosen.plan, chosen.outcome) == ("4 of at most 7 taps along an axis", "chosen")
    assert chosen.us is not None
    rejected = [way for way in others if way.outcome == "rejected"]
    assert [way.plan[:18] for way in rejected] == ["4 of at most 6 tap", "9 of at most 5 tap", "9 of at most 4 tap"]
    assert all(way.us is not None and way.us > 0.9 * chosen.us for way in rejected)
    refused = [way for way in others if way.outcome == "refused"]
    assert refused
    assert all(way.us is None and "breaks Conv." in way.reason for way in refused)


def test_cuts_of_channels_are_told() -> None:
    text = "g (float[1,5000,7,7] x) => (float[1,64,7,7] y) { y = Conv (x, w) }"
    reason = next(r for r in told(seeded(text, opset=11, w=(64, 5000, 1, 1)), "clamp-conv-channels") if r.fires)
    assert [(way.plan, way.outcome) for way in reason.ways if way.rule == "split-channels"][:2] == [
        ("inputs 2 x 1668 + 1664", "chosen"),
        ("outputs 2 x 32", "refused"),
    ]
    assert "Conv.in_channels_per_group" in reason.ways[1].reason
    kinds = [way.reason.split(" breaks ")[1].split(":")[0] for way in reason.ways if way.reason]
    assert len(kinds) == len(set(kinds)), "a limit is told once"


def test_another_rule_for_the_same_node_is_a_way() -> None:
    text = """g (float[1,1000,7,7] x) => (float[1,10] y) { f = Flatten (x)  y = Gemm <transB = 1> (f, w) }"""
    reason = next(r for r in told(seeded(text, opset=11, w=(10, 49000)), "clamp-conv-channels", "bayes-e") if r.fires)
    assert {way.rule for way in reason.ways} == {"convolve-gemm", "split-channels"}
    assert reason.ways[0].rule == "convolve-gemm"


def test_a_way_that_is_clearly_faster_is_taken() -> None:
    """Nine convolutions of one tap, though one with zeros in between is preferred: 49 against 9 products each."""
    assert apply_pass(dilated(3), TileKernels(), "bernoulli2").ops.count("Conv") == 9
    reason = next(r for r in told(dilated(3), "tile-kernels") if r.fires)
    assert [(way.plan[:12], way.outcome) for way in reason.ways[:2]] == [
        ("9 of at most", "chosen"),
        ("1 of at most", "rejected"),
    ]
    ours, preferred = (way.us or 0.0 for way in reason.ways[:2])
    assert 0 < ours < 0.9 * preferred


def test_nothing_is_left_of_what_was_tried() -> None:
    model = stem()
    before = model.digest()
    explain(model, "tile-kernels", load_target("bernoulli2"))
    assert model.digest() == before
    # off the CPU it is a smaller model, of which stage-stride saves a larger share
    applied = apply_pass(model, TileKernels(), "bernoulli2", idempotent=False)
    assert sorted(applied.ops) == ["Add"] * 3 + ["Conv"] * 4 + ["Slice"] * applied.ops.count("Slice")


@pytest.mark.parametrize(
    ("times", "best"),
    [
        ([10.0, 9.5], 0),
        ([10.0, 8.5], 1),
        ([10.0, 8.5, 8.0], 1),
        ([10.0, None], 0),
        ([None, 5.0], 0),
        ([], None),
    ],
)
def test_the_preferred_way_unless_another_is_clearly_faster(times: list[float | None], best: int | None) -> None:
    ways = [Found(Way("r", str(i), "rejected", us), i) for i, us in enumerate(times)]
    refused = Found(Way("r", "", "refused", None, "no"), None)
    found = cheapest([refused, *ways])
    assert (found and found.match) == best


def test_no_choice_is_no_list() -> None:
    text = "g (float[1,8,4,4] x) => (float[1,8,4,4] y) { y = Relu (x) }"
    assert all(not r.ways for r in told(seeded(text, opset=11), "tile-kernels"))


def test_every_view_has_the_ways() -> None:
    model = stem()
    next(model.nodes()).name = "<b>|stem`"
    document = surgery.explain(model, "tile-kernels", march="bernoulli2")
    section = next(s for s in page(document).sections if s.title == "Chosen among")
    assert section.blocks
    for text in (to_html(page(document)), to_markdown(page(document))):
        assert "Chosen among" in text
        assert "4 of at most 7 taps along an axis" in text
        assert "<b>|stem" not in text


def test_a_weight_that_would_be_mostly_zeros_is_not_made() -> None:
    """1 GB of zeros for 9 MB of taps."""
    refused = [way.reason for reason in told(dilated(15, 512), "tile-kernels") for way in reason.ways]
    assert "with zeros between its taps the weight takes 1007681536 bytes, at most 67108864" in refused
