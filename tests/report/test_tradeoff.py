"""The report of a search: its front, its chart, its parts and its closing."""

from __future__ import annotations

import re

import pytest

from surgery.report import Finding, TradeoffDocument, again, closing, findings
from surgery.report.tradeoff import Variant, front_of
from surgery.report.tradeoff_next import steps
from surgery.report.verdict_tradeoff import held
from surgery.report.view import page, to_html, to_markdown
from surgery.report.view.content import Dot, Scatter
from surgery.report.view.scatter import Axis, Drawn, scatter
from tests.report import samples
from tests.report.test_views import parsed, terminal


def point(number: int, ms: float, *, accepted: bool = True) -> Variant:
    return Variant(number=number, accepted=accepted, latency_ms=samples.span(ms))


@pytest.mark.parametrize(
    ("values", "least", "front"),
    [
        ([0.9, 0.8, 0.9], False, (1, 2)),
        ([0.9, 0.8, 0.7], False, (1, 0)),
        ([0.1, 0.3, 0.2], True, (1, 2, 0)),
        ([0.1, 0.1, 0.1], True, (1,)),
    ],
)
def test_the_front(values: list[float], least: bool, front: tuple[int, ...]) -> None:
    variants = [point(0, 4.0), point(1, 1.0), point(2, 2.0)]
    assert front_of(variants, dict(enumerate(values)), least=least) == front


def test_what_is_refused_failed_or_not_measured_is_not_on_the_front() -> None:
    failed = point(1, 1.0).model_copy(update={"status": "failed"})
    variants = [point(0, 4.0), failed, point(2, 1.0, accepted=False), point(3, 1.0)]
    assert front_of(variants, {0: 0.5, 1: 0.9, 2: 0.9}, least=False) == (0,)


def test_the_fastest_that_loses_nothing_is_the_best() -> None:
    document = samples.tradeoff()
    best = document.best()
    assert best is not None
    assert best.number == 1
    assert closing(document).sentence == (
        "Of 5 variants, number 1 is the fastest that loses no accuracy (int8): 0.97, 0.97 as given "
        "(not distinguishable from the original on 360 samples); 2 ms (1.4–3.2) on bayes-e."
    )
    worse = document.variants[1].model_copy(update={"int8": {"accuracy": 0.5}})
    lossy = document.model_copy(update={"variants": (document.variants[0], worse, *document.variants[2:])})
    assert "number 1 loses least accuracy" in closing(lossy).sentence


def test_what_a_paired_test_says_depends_on_what_is_better() -> None:
    document = samples.tradeoff()
    least = document.model_copy(update={"least": True})
    lower, equal = samples.pair(-0.02, 0.001), samples.pair()
    assert [held(each, lower) for each in (document, least)] == [
        "worse than the original, as 360 samples show",
        "better than the original, as 360 samples show",
    ]
    assert held(document, equal) == held(least, equal) == "not distinguishable from the original on 360 samples"


def test_intervals_are_in_the_chart_the_tables_and_the_parts() -> None:
    document = samples.tradeoff()
    html, text = to_html(page(document)), terminal(document, details=True)
    (dot,) = [placed for placed in drawn_of(document).dots if placed.dot.kind == "front"]
    assert dot.top < dot.y < dot.bottom
    assert html.count('class="reach front"') == 2
    assert "upright are the 95 % interval" in html
    for words in ("0 (−0.01 to +0.01)", "not distinguishable", "−0.02 (−0.021 to −0.019)", "worse"):
        assert words in text
        assert words in html
    assert "p 0.5 (McNemar's exact test): not distinguishable from the original on 360 samples" in text


def test_without_samples_nothing_is_said_of_intervals() -> None:
    variants = [v.model_copy(update={"paired_int8": {}}) for v in samples.tradeoff().variants]
    document = samples.tradeoff().model_copy(update={"variants": tuple(variants)})
    html = to_html(page(document))
    assert "95 %" not in html
    assert "distinguishable" not in html


def said_next(document: TradeoffDocument) -> list[tuple[str, str]]:
    return [(step.text, step.command) for step in steps(document)]


def test_what_to_do_next_begins_with_the_best() -> None:
    document = samples.tradeoff()
    first, *others = said_next(document)
    assert first == ("Make number 1, 2 ms (1.4–3.2).", again(document, document.variants[1]))
    assert [text for text, _ in others] == [
        "Number 1 leaves 0 nodes on the CPU and 1 limit broken: see why.",
        "How sure the figures are is not known: let the evaluator return an array with a value per sample.",
        "Time and int8 are predictions: where the vendor's toolchain is installed, --witness asks it.",
        "1 variant failed: the reasons are under Not measured.",
    ]
    assert others[0][1] == "surgery check digits.bayes-e.1.onnx --march bayes-e"
    assert "What to do next" in terminal(document)


def test_a_faster_variant_that_is_as_good_for_all_that_is_known_is_named() -> None:
    document = samples.tradeoff()
    measured = document.variants[0].model_copy(update={"int8": {"accuracy": 0.96}, "latency_ms": samples.span(1.0)})
    pairs = [samples.pair(-0.01, reach) for reach in (0.02, 0.001)]
    found = []
    for pair in pairs:
        faster = measured.model_copy(update={"number": 2, "paired_int8": {"accuracy": pair}})
        variants = (*document.variants[:2], faster, *document.variants[3:])
        found.append(said_next(document.model_copy(update={"variants": variants, "front": (2, 1)})))
    told = "Number 2 is 1 ms faster, its accuracy not distinguishable from the original on 360 samples"
    assert f"{told}: measure it on more." in [text for text, _ in found[0]]
    assert not any("faster" in text for text, _ in found[1])


def test_times_that_are_far_apart_are_drawn_on_a_logarithmic_axis() -> None:
    axis = Axis.fitting([0.47, 0.52, 4.7])
    assert axis.log
    assert axis.values == (0.5, 1.0, 2.0, 5.0)
    assert axis.at(0.52) - axis.at(0.47) > 3
    assert axis.within(0.0) == 0.0
    assert not Axis.fitting([1.0, 3.9]).log
    assert not Axis.fitting([0.0, 9.0]).log


def drawn_of(document: TradeoffDocument) -> Drawn:
    blocks = (block for section in page(document).sections for block in section.blocks)
    return scatter(next(block for block in blocks if isinstance(block, Scatter)))


def test_a_failed_variant_is_a_finding() -> None:
    document = samples.tradeoff()
    assert findings(document) == {Finding.FAILED}
    fine = document.model_copy(update={"variants": document.variants[:2]})
    assert findings(fine) == frozenset()
    nothing = fine.model_copy(update={"front": ()})
    assert findings(nothing) == {Finding.FAILED}
    assert closing(nothing).sentence.startswith("None of 1 variant can be shipped")


def test_the_command_that_makes_a_variant() -> None:
    document = samples.tradeoff().model_copy(update={"pipeline": "p.yaml", "budget": {"cosine": 0.9}, "given": "x.npz"})
    assert again(document, document.variants[1]) == (
        "surgery run models/digits.onnx -o digits.bayes-e.1.onnx --march bayes-e -p p.yaml --skip share-equals "
        "--set a.b=true --set a.c=1 --budget cosine=0.9 --inputs x.npz --samples 4"
    )


def test_every_dot_and_row_leads_to_a_part() -> None:
    html = to_html(page(samples.tradeoff(samples.HOSTILE)), page(samples.tradeoff()))
    links = parsed(html).links
    assert {f"#page1-v{n}" for n in range(6)} | {f"#page2-v{n}" for n in range(6)} <= set(links)
    ids = re.findall(r'id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_what_is_the_same_in_all_variants_is_not_said_of_each() -> None:
    text = terminal(samples.tradeoff())
    assert "−share-equals, a.b=true " in text
    assert "a.c" not in text.partition("The front")[2].split("To run it again")[0].split("next:")[0]


def test_the_chart_has_a_shape_and_words_for_each_kind() -> None:
    html = to_html(page(samples.tradeoff()))
    for kind, words in (("front", "on the front"), ("other", "another variant"), ("reference", "as it was given")):
        assert f'class="{kind}"' in html
        assert words in html
    assert "<title>1, −share-equals, a.b=true: accuracy, int8 0.97, 2 ms (1.4–3.2)</title>" in html


def test_what_was_not_measured_says_why_in_every_view() -> None:
    document = samples.tradeoff()
    for text in (terminal(document), to_markdown(page(document)), to_html(page(document))):
        assert "the evaluator raised Conv" in text
        assert "3 ms are predicted" in text
    assert "The same as" in terminal(document, details=True)


def test_a_metrics_name_parts_no_column() -> None:
    document = samples.tradeoff(metric="a|#b")
    assert "a¦#b, int8" in terminal(document)
    assert TradeoffDocument.from_json(document.to_json()) == document


def test_a_march_without_times_has_no_chart() -> None:
    first = samples.tradeoff().variants[0].model_copy(update={"latency_ms": None})
    document = samples.tradeoff().model_copy(update={"variants": (first,), "front": (0,)})
    assert "No time is known on bayes-e" in to_html(page(document))


def test_the_geometry_of_dots() -> None:
    dots = (
        Dot(2.0, 1.0, 3.0, 0.5, "front", "a"),
        Dot(4.0, 4.0, 5.0, 0.9, "front", "b"),
        Dot(3, 3, 3, 0.7, "other", "c"),
    )
    drawn = scatter(Scatter("t", "ms", "%", dots))
    assert [placed.dot.title for placed in drawn.dots] == ["c", "a", "b"]
    assert all(0 <= p.left <= p.x <= p.right <= 100 and 0 <= p.y <= 100 for p in drawn.dots)
    assert drawn.dots[1].y > drawn.dots[2].y
    assert (drawn.dots[1].left, drawn.dots[2].right) == (0.0, 100.0)
    assert list(drawn.line) == sorted((p.x, p.y) for p in drawn.dots[1:])


def test_labels_that_would_lie_on_each_other_are_joined() -> None:
    near = (Dot(1.0, 1, 1, 0.5, "front", "a", "7"), Dot(1.001, 1, 1, 0.5, "other", "b", "8"))
    drawn = scatter(Scatter("t", "ms", "%", (*near, Dot(9.0, 9, 9, 0.9, "front", "c", "9"))))
    assert {placed.dot.title: placed.label for placed in drawn.dots} == {"a": "7, 8", "b": "", "c": "9"}


@pytest.mark.parametrize("values", [[0.0], [0.98611, 0.98612], [1e-9, 2e-9], [-3.0, 5e6]])
def test_ticks_are_inside_and_told_apart(values: list[float]) -> None:
    ticks = Axis.over(values).ticks
    assert len(ticks) >= 2
    assert all(-1e-6 <= at <= 100 + 1e-6 for at, _ in ticks)
    assert len({text for _, text in ticks}) == len(ticks)
