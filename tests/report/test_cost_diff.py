"""The comparison of two estimates: totals, the paired change, layers, in every view."""

from __future__ import annotations

from pathlib import Path

import pytest

import surgery
from surgery.cost import estimate, speedup
from surgery.report import CostDiffDocument, closing, findings
from surgery.report.base import Span
from surgery.report.view import page, to_html, to_markdown
from surgery.report.view.cost_diff import MOST
from surgery.target import load_target, place
from tests.report import samples
from tests.report.test_views import SHOWN, parsed, terminal
from tests.support import model_of

MAP = "float[1,32,64,64]"
LONG = f"g ({MAP} x) => (y) {{ [a] a = Exp(x) [b] b = Neg(a) [c] c = Exp(b) [d] y = Neg(c) }}"
SHORT = f"g ({MAP} x) => (y) {{ [a] a = Exp(x) [b] y = Neg(a) }}"


def compared(before: str, after: str, march: str = "X5") -> CostDiffDocument:
    return surgery.cost_diff(model_of(before, opset=11), model_of(after, opset=11), march=march)


@pytest.fixture(scope="module")
def shorter() -> CostDiffDocument:
    return compared(LONG, SHORT)


def test_totals_are_those_of_each_estimate(shorter: CostDiffDocument) -> None:
    for side, text in ((shorter.before, LONG), (shorter.after, SHORT)):
        alone = surgery.cost(model_of(text, opset=11), march="X5")
        assert (side.latency_ms, side.bpu_ms, side.macs, side.bytes) == (
            alone.latency_ms,
            alone.bpu_ms,
            alone.macs,
            alone.bytes,
        )
    assert (shorter.before.nodes, shorter.after.nodes, shorter.after.segments) == (4, 2, 1)


def test_the_speedup_is_that_of_the_paired_change(shorter: CostDiffDocument) -> None:
    sides = (estimate(place(model_of(text, opset=11), load_target("X5"))) for text in (LONG, SHORT))
    paired = speedup(*sides).interval
    assert (shorter.speedup.low, shorter.speedup.mid, shorter.speedup.high) == pytest.approx(paired)
    assert 1 < shorter.speedup.low < shorter.speedup.mid < shorter.speedup.high


def test_layers_of_one_model_only_and_of_both(shorter: CostDiffDocument) -> None:
    rows = {(layer.before or layer.after).nodes[0]: layer for layer in shorter.layers}
    assert {name: layer.by for name, layer in rows.items()} == {"a": "name", "b": "name", "c": "none", "d": "none"}
    assert rows["c"].after is None
    assert rows["c"].change_us == pytest.approx(-rows["c"].before.us.mid)
    assert rows["a"].change_us == pytest.approx(0)


def test_kinds_are_sorted_by_their_change(shorter: CostDiffDocument) -> None:
    changes = [abs(kind.after_us - kind.before_us) for kind in shorter.kinds]
    assert changes == sorted(changes, reverse=True)
    assert sum(k.before_us for k in shorter.kinds) == pytest.approx(
        sum(layer.before.us.mid for layer in shorter.layers if layer.before)
    )


@pytest.mark.parametrize("view", ["html", "markdown", "terminal"])
def test_every_view_has_totals_kinds_and_layers(view: str, shorter: CostDiffDocument) -> None:
    text = {
        "html": parsed(to_html(page(shorter))).text,
        "markdown": to_markdown(page(shorter)),
        "terminal": terminal(shorter),
    }[view]
    told = ["Cost of two models on bayes-e", "Before and after", "By kind", "Layers that changed most", "only one"]
    told += ["Speedup", "did not.", "Only before: 2 layers"]
    assert [word for word in told if word not in text] == []


def test_the_closing_says_which_is_faster_or_that_it_is_not_sure(shorter: CostDiffDocument) -> None:
    assert "the speed of the first on bayes-e." in closing(shorter).sentence
    assert closing(shorter).good
    assert not closing(compared(SHORT, LONG)).good
    same = compared(LONG, LONG)
    assert closing(same).sentence == "Both models take the same time on bayes-e, as far as is estimated."
    close = samples.cost_diff().model_copy(update={"speedup": Span(low=0.9, mid=1.1, high=1.3)})
    assert "within the error" in closing(close).sentence
    assert closing(same).next.startswith("surgery diff ")
    assert findings(shorter) == frozenset()


def test_a_long_list_is_cut_and_counted() -> None:
    layers = tuple(
        samples.cost_diff().layers[0].model_copy(update={"change_us": float(at)}) for at in range(1, MOST + 4)
    )
    text = terminal(samples.cost_diff().model_copy(update={"layers": layers}))
    assert f"{MOST + 3} layers changed, 3 of them below, 0 did not." in text


def test_hostile_names_are_text() -> None:
    html = to_html(page(samples.cost_diff(samples.HOSTILE)))
    assert "<script>alert" not in html
    assert SHOWN in parsed(html).text
    assert "\x1b[31m" not in terminal(samples.cost_diff(samples.HOSTILE), details=True)


def test_a_march_without_coefficients_has_totals_of_nothing_and_a_reason(tmp_path: Path) -> None:
    source = Path(surgery.__file__).parent / "target" / "marches" / "bayes-e.yaml"
    (tmp_path / "bare.yaml").write_text(source.read_text("utf-8"), "utf-8")
    found = compared(LONG, SHORT, str(tmp_path / "bare.yaml"))
    assert (found.speedup, found.layers, found.before.latency_ms) == (None, (), None)
    assert "has no cost coefficients" in found.reason
    assert "No speedup is stated" in closing(found).sentence
    assert "has no cost coefficients" in parsed(to_html(page(found))).text


def test_nodes_without_an_estimate_in_one_model_only_leave_no_speedup() -> None:
    found = compared(SHORT, SHORT.replace("[1,", "[N,"))
    assert found.speedup is None
    assert "nodes without an estimate differ" in found.reason
    assert {layer.change_us for layer in found.layers} == {None}
    assert "no estimate" in terminal(found)
