"""The report of ``cost``: its totals add up, its charts are whole, and bad input is told, not hidden."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import surgery
from surgery.cost import Use
from surgery.report import CostDocument
from surgery.report.usage import efficiency
from surgery.report.view import page, to_html, to_markdown
from surgery.report.view.chart import plot
from surgery.report.view.content import Block, Note, Point, Roofline, Timeline
from tests.cost.make import weighted
from tests.report import samples
from tests.report.test_views import SHOWN, parsed, terminal
from tests.support import model_of

CUT = """g (float[1,16,64,64] x, float[16,16,3,3] w) => (y) {
    [first] a = Conv <pads=[1,1,1,1]> (x, w)
    [host] b = Softmax (a)
    [second] y = Conv <pads=[1,1,1,1]> (b, w)
}"""


@pytest.fixture(scope="module")
def cut() -> CostDocument:
    return surgery.cost(weighted(CUT, opset=11), march="X5")


def blocks(document: CostDocument, kind: type[Block]) -> list[Block]:
    return [block for section in page(document).sections for block in section.blocks if isinstance(block, kind)]


def test_segments_add_up_to_the_bpu_time(cut: CostDocument) -> None:
    assert [s.segment for s in cut.segments] == [0, 1]
    assert [n.segment for n in cut.nodes] == [0, None, 1]
    low, mid, high = (sum(getattr(s.us, end) for s in cut.segments) for end in ("low", "mid", "high"))
    assert mid == pytest.approx(cut.bpu_ms.mid * 1e3)
    assert low <= cut.bpu_ms.low * 1e3 + 1e-6
    assert high >= cut.bpu_ms.high * 1e3 - 1e-6
    assert sum(s.macs for s in cut.segments) == cut.macs
    assert sum(s.read + s.written for s in cut.segments) == cut.bytes.read + cut.bytes.written


def test_the_only_segment_is_as_sure_as_the_bpu_time() -> None:
    text = "g (float[1,8,64,64] x) => (y) { a = Exp(x) b = Log(a) y = Exp(b) }"
    document = surgery.cost(model_of(text, opset=11), march="X5")
    (alone,) = document.segments
    for end in ("low", "mid", "high"):
        assert getattr(alone.us, end) == pytest.approx(getattr(document.bpu_ms, end) * 1e3)


def test_segments_begin_where_the_line_of_time_has_them(cut: CostDocument) -> None:
    for segment in cut.segments:
        begins = [slot.begin_us for slot in cut.timeline if slot.segment == segment.segment and slot.work != "submit"]
        assert segment.begin_us == pytest.approx(begins[0], abs=0.001)


def test_kinds_add_up_to_the_nodes(cut: CostDocument) -> None:
    assert sum(k.us.mid for k in cut.kinds) == pytest.approx(sum(n.us.mid for n in cut.nodes))
    assert sum(k.nodes for k in cut.kinds) == 3
    assert next(k for k in cut.kinds if k.device == "cpu").efficiency is None


def test_efficiency_is_per_node_and_in_total(cut: CostDocument) -> None:
    first, host, _ = cut.nodes
    top = cut.ceilings
    assert host.efficiency is None
    assert first.efficiency.compute == pytest.approx(first.macs / first.us.mid * 1e6 / top.macs_per_s, rel=1e-4)
    assert first.efficiency.intensity == pytest.approx(first.macs / (first.read + first.written), rel=1e-4)
    assert first.efficiency.parameters == pytest.approx(first.weights / first.us.mid * 1e6 / top.bytes_per_s, rel=1e-4)
    assert first.efficiency.attained >= first.efficiency.compute
    assert cut.efficiency.compute == pytest.approx(cut.macs / cut.bpu_ms.mid * 1e3 / top.macs_per_s, rel=1e-4)
    assert top.ridge == pytest.approx(top.macs_per_s / top.bytes_per_s)


def test_a_small_share_is_not_rounded_to_nothing() -> None:
    found = efficiency(Use(1.23456789e-7, None, 2e-9, 0.5))
    assert (found.compute, found.parameters, found.intensity) == (1.23457e-7, None, 2e-9)


def test_every_piece_of_time_is_in_one_lane(cut: CostDocument) -> None:
    (line,) = blocks(cut, Timeline)
    lanes = {lane.label: lane for lane in line.lanes}
    assert next(iter(lanes)) == "BPU segment"
    assert line.end == pytest.approx(cut.latency_ms.mid, abs=1e-5)
    assert sum(lane.total for lane in line.lanes[1:]) == pytest.approx(line.end, abs=1e-5)
    assert lanes["BPU segment"].total == pytest.approx(cut.bpu_ms.mid, abs=1e-5)
    assert [p.number for p in lanes["BPU segment"].pieces] == ["0", "1"]


def test_numbers_in_the_charts_are_those_of_the_table(cut: CostDocument) -> None:
    (line,), (roofline,) = blocks(cut, Timeline), blocks(cut, Roofline)
    slowest = max(cut.nodes, key=lambda n: n.us.mid)
    first = next(p for lane in line.lanes[1:] for p in lane.pieces if p.number == "1")
    assert first.title.startswith(f"{slowest.name}: ")
    (section,) = (s for s in page(cut).sections if s.title == "Slowest nodes")
    assert [cell.text for cell in section.blocks[0].rows[0][:2]] == ["1", slowest.name]
    assert {p.number for p in roofline.points} <= {"1", "2", "3"}


def test_the_roofline_has_the_layers_that_multiply_and_move(cut: CostDocument) -> None:
    (roofline,) = blocks(cut, Roofline)
    assert len(roofline.points) == 2
    assert any("not in it: 0.0 % of the time" in block.text for block in blocks(cut, Note))
    assert roofline.best == cut.ceilings.macs_per_s
    assert all(p.rate <= min(roofline.best, p.intensity * roofline.memory) for p in roofline.points)


def test_the_geometry_of_a_roofline() -> None:
    points = (Point(10.0, 1e9, 0.25, "memory", "a", "1"), Point(10.1, 1e9, 0.01, "memory", "b", "2"))
    drawn = plot(Roofline("", 1e12, 1e9, points))
    assert [text for _, text in drawn.across] == ["10", "100", "1 k"]
    assert [text for _, text in drawn.up] == ["1 G", "10 G", "100 G", "1 T"]
    assert drawn.ridge == pytest.approx((100.0, 0.0))
    assert drawn.left == pytest.approx((0.0, 100 / 3 * 2))
    assert [(m.label, m.kind) for m in drawn.marks] == [("1, 2", "memory"), ("", "memory")]
    assert (drawn.marks[0].x, drawn.marks[0].y) == pytest.approx((0.0, 100.0))
    assert drawn.marks[0].radius > drawn.marks[1].radius


def test_points_on_one_decade_still_have_an_axis() -> None:
    drawn = plot(Roofline("", 1e9, 1e8, (Point(10.0, 1e9, 1.0, "compute", "a"),)))
    assert len(drawn.across) == len(drawn.up) == 2


def test_the_charts_are_drawings_with_words_for_those_who_do_not_see_them(cut: CostDocument) -> None:
    html = to_html(page(cut))
    reader = parsed(html)
    assert 'aria-label="BPU, memory: ' in html
    assert re.search(r'aria-label="2 layers under a best rate of [\d.]+ TMAC/s and [\d.]+ GB/s of memory"', html)
    assert reader.tags.count("title") > len(cut.timeline)
    assert reader.links == []
    assert "url(" not in html


def test_what_bounds_a_layer_is_told_by_shape_not_only_by_colour(cut: CostDocument) -> None:
    bounds = ("compute", "memory", "overhead")
    nodes = tuple(cut.nodes[0].model_copy(update={"bound": bound}) for bound in bounds)
    html = to_html(page(cut.model_copy(update={"nodes": nodes})))
    chart = html[html.index("Under the roofline") :].split("</figcaption>", 1)[1]
    assert re.findall(r'<(\w+) class="(compute|memory|overhead)"', chart) == list(
        zip(("circle", "rect", "path"), bounds, strict=True)
    )


@pytest.mark.parametrize("view", ["html", "markdown", "terminal"])
def test_every_view_has_every_section(view: str, cut: CostDocument) -> None:
    texts = {"html": parsed(to_html(page(cut))).text, "markdown": to_markdown(page(cut)), "terminal": terminal(cut)}
    told = ["One frame in one thread", "Where the time goes", "Segment by segment", "Slowest nodes"]
    told += ["Under the roofline", "Compute efficiency", "Parameter efficiency", "BPU, memory", "of what they allow"]
    assert [word for word in told if word not in texts[view]] == []


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_terminal_is_kept_to(width: int, cut: CostDocument) -> None:
    lines = terminal(cut, width=width).splitlines()
    assert max(len(line) for line in lines[:-2]) <= width


def test_the_terminal_draws_the_line_of_time_in_letters(cut: CostDocument) -> None:
    lanes = [line for line in terminal(cut, width=80).splitlines() if line.startswith((" BPU", " Host"))]
    (segments,) = (line for line in lanes if line.startswith(" BPU segment"))
    assert "█" in segments
    assert segments.rstrip().endswith(f"{cut.bpu_ms.mid:.3g} ms")


def test_hostile_names_are_text_in_the_charts() -> None:
    html = to_html(page(samples.cost(samples.HOSTILE)))
    chart = html[html.index("<figure") : html.index("Slowest nodes")]
    assert "<script>alert" not in chart
    assert SHOWN in parsed(html).text
    assert "&lt;script&gt;alert(1)" in chart


BAD = {
    "symbolic dims": ("g (float[N,8] x) => (y) { y = Exp(x) }", "is symbolic"),
    "unknown custom ops": (
        '<ir_version: 8, opset_import: ["": 11, "my": 1]> g (float[1,8] x) => (float[1,8] y) { y = my.Odd(x) }',
        "Odd is an operator of domain 'my'",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_has_no_estimate_is_named_with_the_reason(bad: str) -> None:
    text, told = BAD[bad]
    document = surgery.cost(model_of(text, opset=11), march="X5")
    for view in (parsed(to_html(page(document))).text, to_markdown(page(document)), terminal(document, width=300)):
        assert "Left out of the totals, which are lower bounds" in view
        assert told in view.replace("&#123;", "{")


def test_a_march_without_coefficients_has_a_report_that_says_so(tmp_path: Path) -> None:
    source = Path(surgery.__file__).parent / "target" / "marches" / "bayes-e.yaml"
    (tmp_path / "bare.yaml").write_text(source.read_text("utf-8"), "utf-8")
    document = surgery.cost(weighted(CUT, opset=11), march=str(tmp_path / "bare.yaml"))
    assert (document.efficiency, document.ceilings, document.segments, document.timeline) == (None, None, (), ())
    text = parsed(to_html(page(document))).text
    assert "has no cost coefficients" in text
    assert "Under the roofline" not in text


def test_the_document_of_before_is_read() -> None:
    data = json.loads(samples.cost().to_json())
    for field in ("efficiency", "ceilings", "kinds", "segments", "timeline"):
        del data[field]
    assert CostDocument.from_json(json.dumps(data)).segments == ()
