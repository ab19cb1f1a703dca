"""The three views: complete, and safe with names that carry their syntax."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from io import StringIO

import pytest
from rich.console import Console

import surgery
from surgery.report.base import Document
from surgery.report.batch import Failure
from surgery.report.view import failure_page, page, show, to_html, to_markdown
from surgery.report.view.html import ROWS
from tests.report import samples
from tests.support import model_of, proto_of

HOSTILE = [samples.check(samples.HOSTILE), samples.cost(samples.HOSTILE), samples.diff(samples.HOSTILE, 0.5)]
HOSTILE += [samples.run(samples.HOSTILE), samples.tradeoff(samples.HOSTILE)]
SHOWN = r"a|b`c`<script>alert(1)</script>[bold]x[/bold]\x1b[31m\n# h\u202e"


class Page(HTMLParser):
    """Collects tags, attributes and text; checks that every tag that is opened is closed."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for key, value in attrs if key in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> Page:
    reader = Page()
    reader.feed(html)
    assert not reader.open
    return reader


def terminal(document: Document, *, details: bool = False, width: int = 200) -> str:
    console = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    show(page(document), console, details=details)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("document", HOSTILE, ids=lambda d: d.kind)
def test_html_shows_hostile_names_as_text(document: Document) -> None:
    reader = parsed(to_html(page(document)))
    assert reader.tags.count("script") == (document.kind in ("surgery.check/1", "surgery.cost/1", "surgery.tradeoff/1"))
    assert "bold" not in reader.tags
    assert SHOWN in reader.text


def test_html_needs_nothing_from_outside() -> None:
    html = to_html(page(samples.run()), page(samples.check()))
    reader = parsed(html)
    assert set(reader.links) == {"#page1", "#page2"}
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html


def test_html_runs_one_script_of_ours_and_no_other() -> None:
    html = to_html(page(samples.check(samples.HOSTILE)))
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert re.findall(r"script-src '([^']*)'", html) == [f"sha256-{digest}"]
    assert "fetch" not in script
    assert "innerHTML" not in script
    assert not re.search(r"<[^>]* on[a-z]+=", html)


def test_a_page_without_a_live_table_has_no_script() -> None:
    assert "script" not in to_html(page(samples.run()))


def test_the_table_of_nodes_is_whole_and_plain_without_scripts() -> None:
    short = samples.check()
    rows = tuple(short.nodes[0].model_copy(update={"name": f"n{i}", "macs": 1500}) for i in range(ROWS + 7))
    html = to_html(page(short.model_copy(update={"nodes": rows})))
    table = html[html.index('<table role="table" class="wide live">') : html.index("<script>")]
    assert table.count('<th role="rowheader"') == ROWS + 7
    assert "rows more" not in table
    assert "<details open>" in html
    assert '<th role="columnheader" scope="col" data-choice>ON</th>' in table
    assert 'data-key="1500">1.5 k</td>' in table
    assert "<button" not in html[: html.index("<script>")]


def test_a_model_that_failed_has_a_section() -> None:
    failed = Failure(model=samples.HOSTILE, march="bayes-e", error=f"no {samples.HOSTILE}\n  hint: see <b>here</b>")
    reader = parsed(to_html(page(samples.check()), failure_page(failed)))
    assert "Failed for bayes-e" in reader.text
    assert "hint: see <b>here</b>" in reader.text
    assert "b" not in reader.tags


VIEWS = ["html", "markdown", "terminal"]


def seen(view: str, document: Document) -> str:
    if view == "html":
        return parsed(to_html(page(document))).text
    return unescape(to_markdown(page(document))) if view == "markdown" else terminal(document, details=True, width=300)


@pytest.mark.parametrize("view", VIEWS)
def test_what_is_assumed_is_said_in_the_summary_per_limit_and_per_node(view: str) -> None:
    told = ["1 node, limits of bayes-e", "as far as is known", "x5-operator-list (assumed)"]
    told += ["Conv.kernel_h is 9, allowed 1..7 (assumed)", "limits assumed from bayes-e"]
    told += ["The limits of 1 node are assumed from bayes-e."]
    text = seen(view, samples.assumed_check())
    assert [word for word in told if word not in text] == []
    assert "assumed" not in seen(view, samples.check())


@pytest.mark.parametrize("view", VIEWS)
def test_what_is_unknown_is_said_in_the_summary_and_per_node(view: str) -> None:
    text = seen(view, samples.check())
    told = ["as far as is known", "Unknown", "1 node unknown", "not in the operator table"]
    assert [word for word in told if word not in text] == []
    row = text[text.rindex("mish") :]
    assert row.index("unknown") < row.index("not in the operator table")


@pytest.mark.parametrize("view", VIEWS)
def test_the_first_things_to_do_come_before_everything_else(view: str) -> None:
    text = seen(view, samples.check())
    assert "1. split-kernels cures Conv.kernel_h at conv_1." in text
    assert text.index("surgery run conv_1") < text.index("Placement")


@pytest.mark.parametrize("view", VIEWS)
def test_padding_is_told_apart_from_limits(view: str) -> None:
    section = seen(view, samples.check()).split("Padded by the hardware (no limit is broken)\n", 1)[1]
    told = ["conv_1", "width 20 → 32", "37.5 %", "2.0 %", "Multiples: fit"]
    assert [word for word in told if word not in section] == []


def test_html_is_accessible() -> None:
    html = to_html(page(samples.run()))
    assert '<html lang="en">' in html
    assert all('aria-label="' in svg or "aria-hidden" in svg for svg in re.findall(r"<svg role[^>]*>", html))
    assert html.count("<h1") == 1
    assert html.count("<table") == html.count("<thead") == html.count("<tbody")


@pytest.mark.parametrize("document", HOSTILE, ids=lambda d: d.kind)
def test_markdown_tables_keep_their_columns(document: Document) -> None:
    text = to_markdown(page(document))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text)
    assert "<script" not in text
    widths: int | None = None
    for line in text.splitlines():
        width = line.count("|") if line.startswith("|") else None
        assert None in (width, widths) or width == widths, line
        widths = width


@pytest.mark.parametrize("document", HOSTILE, ids=lambda d: d.kind)
def test_terminal_prints_no_control_characters_and_reads_no_markup(document: Document) -> None:
    text = terminal(document, details=True)
    assert "\x1b[31m" not in text
    assert "\u202e" not in text
    assert "[bold]x[/bold]" in text


def test_the_three_views_say_the_same() -> None:
    document = samples.run()
    told = ["5.25 ms (3.7–8.4)", "2.4× (1.9–3.1)", "rolled-back", "output y moved by 0.2", "digits:top1", "98.7 %",
            "split-kernels", "surgery bisect models/digits.onnx --march bayes-e", "float32"]  # fmt: skip
    for view in (to_markdown(page(document)), parsed(to_html(page(document))).text, terminal(document)):
        assert [word for word in told if word not in view] == []


def test_the_terminal_ends_with_what_to_type() -> None:
    lines = terminal(samples.check()).rstrip().splitlines()
    assert lines[-2].startswith("The bayes-e toolchain takes the model as far as is known: 1 node on the CPU")
    assert lines[-1] == "next: surgery run models/digits.onnx -o digits.bayes-e.onnx --march bayes-e"


def test_the_terminal_cuts_long_tables_unless_asked() -> None:
    short = samples.check()
    rows = tuple(short.nodes[0].model_copy(update={"op": f"Op{i}"}) for i in range(30))
    long = short.model_copy(update={"nodes": rows})
    assert "… 10 rows more: -v shows them, --json has them" in terminal(long)
    assert "rows more" not in terminal(long, details=True)


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_terminal_is_kept_to(width: int) -> None:
    lines = terminal(samples.run(), width=width).splitlines()
    assert max(len(line) for line in lines[:-2]) <= width


SECTIONS = {
    "before/after": ("Before and after", ["4.36 G", "98.7 %", "Taken by the toolchain"]),
    "passes": ("Passes", ["substitute-ops", "legalise", "rounding", "2 of 3", "rolled-back"]),
    "violations left": ("Limits still broken", ["Resize.scale", "1..7", "split-kernels", "x5-operator-list"]),
    "drift": ("Numbers", ["Verified: full", "seeded, standard normal", "0.999998", "98.5"]),
    "latency": ("Latency", ["12.5 ms (8.8–20)", "5.25 ms (3.7–8.4)", "Speedup 2.4× (1.9–3.1)"]),
    "accuracy before and after": ("Accuracy", ["digits:top1", "0.9711", "0.9685"]),
}


@pytest.mark.parametrize("name", SECTIONS)
def test_section(name: str) -> None:
    title, told = SECTIONS[name]
    for view in (to_markdown(page(samples.run())), parsed(to_html(page(samples.run()))).text, terminal(samples.run())):
        section = view.split(f"{title}\n", 1)[1]
        assert [word for word in told if word not in section] == []


def test_a_run_that_is_not_verified_says_so_everywhere() -> None:
    document = samples.run(verified="off")
    for view in (to_markdown(page(document)), parsed(to_html(page(document))).text, terminal(document)):
        assert "Numbers verified: off." in view


def test_a_bound_that_noise_widens_is_told_once() -> None:
    told = "Output y is noisy by itself: what counts as rounding goes up to 0.0042 in 3 channels."
    for view in (to_markdown(page(samples.run())), parsed(to_html(page(samples.run()))).text, terminal(samples.run())):
        assert view.count(told) == 1


def test_what_if_stands_beside_the_estimate_as_it_is() -> None:
    document = samples.cost()
    for view in (to_markdown(page(document)), parsed(to_html(page(document))).text, terminal(document)):
        assert "int16=conv_1,batch=4: 1.9× (1.3–3) as fast per frame. Times are of one inference of 4 frames." in view
        for figure in ("5.25 ms", "11 ms", "3.5 ms", "9 ms", "Throughput, 2 threads", "380 fps", "720 fps"):
            assert figure in view


CUSTOM = '<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[1,8] x) => (float[1,8] y) { y = my.Thing(x) }'


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("g (float[N,8] x) => (y) { a = Neg(x) y = Exp(a) }", "Neg", "dim 'N' of 'a' is symbolic"),
        (CUSTOM, "Thing", "Thing is an operator of domain 'my'"),
    ],
)
def test_nodes_without_an_estimate_are_named_and_nothing_rests_on_them(text: str, name: str, why: str) -> None:
    document = surgery.cost(proto_of(text), march="X5", what_if="batch=4")
    assert document.throughput_fps == ()
    assert document.what_if is not None
    assert document.what_if.speedup is None
    told = terminal(document)
    assert "One frame takes at least" in told
    assert f"{name} first: " in told
    assert told.count(why) >= 2
    assert "no ratio: nodes without an estimate." in told


def test_a_ratio_that_cannot_be_stated_says_why() -> None:
    other = samples.otherwise("conv_1").model_copy(update={"speedup": None, "reason": "nothing has an estimate"})
    told = terminal(samples.cost().model_copy(update={"what_if": other}))
    assert "no ratio: nothing has an estimate." in told


def test_where_the_time_goes_adds_up() -> None:
    model = model_of("g (float[1,8,64,64] x) => (y) { a = Exp(x) b = Neg(a) c = Hardmax(b) y = Exp(c) }", opset=11)
    document = surgery.cost(model, march="X5")
    (section,) = (s for s in page(document).sections if s.title == "Where the time goes")
    rows = [[cell.text for cell in row] for row in section.blocks[0].rows]
    assert {(kind, side) for kind, side, *_ in rows} == {(n.kind, n.device) for n in document.nodes if n.us.mid}
    assert sum(int(count) for _, _, count, *_ in rows) == sum(
        n.us.mid is not None and n.us.mid > 0 for n in document.nodes
    )
    assert sum(float(row[4].rstrip(" %")) for row in rows) == pytest.approx(100, abs=0.3)
