"""``surgery check``: which nodes are listed and how, the page it writes, and what it says first."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Surgery
from tests.support import model_of

CHECK = ("check", "mixed.onnx", "-m", "X5")
EVIL = "</script><script>alert(1)</script>"
WEIGHT = ",".join(["0.5"] * 256)
MIXED = f"""g (float[1,16,65,65] x) => (float[1,16,65,65] y, int64[1,16,65,65] i) <float[16,16,1,1] w = {{{WEIGHT}}}> {{
    [b_conv] c = Conv (x, w)
    [c_relu] y = Relu (c)
    [a_cast] i = Cast <to = 7> (y)
}}"""


@pytest.fixture(autouse=True)
def mixed(folder: Path) -> None:
    """A convolution, a node folded into it, and one on the CPU."""
    model_of(MIXED, opset=11).save(folder / "mixed.onnx")


def listed(text: str) -> list[str]:
    """The nodes in the order of the table of nodes."""
    table = text.split("Node by node", 1)[1] if "Node by node" in text else ""
    return re.findall(r"^ *(b_conv|c_relu|a_cast) ", table, re.MULTILINE)


@pytest.mark.parametrize(
    ("flags", "nodes"),
    [
        ((), []),
        (("-v",), ["b_conv", "c_relu", "a_cast"]),
        (("--only", "cpu"), ["a_cast"]),
        (("--only", "cpu", "--only", "bpu"), ["b_conv", "a_cast"]),
        (("--only", "folded"), ["c_relu"]),
        (("--only", "unknown"), []),
        (("--sort", "name"), ["a_cast", "b_conv", "c_relu"]),
        (("--sort", "op"), ["a_cast", "b_conv", "c_relu"]),
        (("--sort", "device"), ["a_cast", "b_conv", "c_relu"]),
        (("--sort", "macs"), ["b_conv", "c_relu", "a_cast"]),
        (("-v", "--sort", "graph"), ["b_conv", "c_relu", "a_cast"]),
    ],
    ids=" ".join,
)
def test_listing(surgery: Surgery, flags: tuple[str, ...], nodes: list[str]) -> None:
    called = surgery(*CHECK, *flags)
    assert called.err == ""
    assert listed(called.out) == nodes


@pytest.mark.parametrize(("flag", "value", "known"), [("--only", "cpus", "'cpu'"), ("--sort", "mac", "'macs'")])
def test_misspelt(surgery: Surgery, flag: str, value: str, known: str) -> None:
    called = surgery(*CHECK, flag, value)
    assert called.code == 2
    assert called.out == ""
    told = " ".join(called.err.replace("│", " ").split())
    assert f"Invalid value for '{flag}'" in told
    assert f"'{value}' is not one of" in told
    assert known in told


def test_a_listing_leaves_the_document_and_the_exit_code_alone(surgery: Surgery) -> None:
    whole, some = surgery(*CHECK, "--json", "-"), surgery(*CHECK, "--json", "-", "--only", "bpu", "--sort", "macs")
    assert whole.out == some.out
    assert whole.code == some.code == 1


def test_the_summary_is_first(surgery: Surgery) -> None:
    lines = surgery(*CHECK).out.splitlines()
    assert lines[1].split() == ["Accepted", "yes"]
    facts = {line.split("  ")[0]: line.split()[-1] for line in lines[1:10]}
    assert facts["On the BPU"] == facts["On the CPU"] == facts["Folded"] == facts["BPU segments"] == "1"
    assert facts["Unknown"] == "0"
    assert lines[10:12] == ["", "What to do first"]


def test_the_document_says_what_to_do_first(surgery: Surgery) -> None:
    surgery("check", "dynamic.onnx", "-m", "X5", "--json", "d.json")
    (first, *_) = json.loads(Path("d.json").read_text())["todo"]
    assert first["text"] == "freeze-shapes cures model.dynamic_dims (x: n, x: m)."
    assert first["command"].endswith("--add freeze-shapes")


def test_the_stated_sizes_are_in_its_commands(surgery: Surgery) -> None:
    surgery(*CHECK, "--input-shape", "x=1x16x65x65", "--json", "d.json")
    commands = [step["command"] for step in json.loads(Path("d.json").read_text())["todo"]]
    assert all("--input-shape x=1x16x65x65" in command for command in commands if command)


def test_notes_are_apart_from_violations(surgery: Surgery) -> None:
    data = json.loads(surgery(*CHECK, "--json", "-").out)
    (note,) = data["notes"]
    assert note["name"] == "b_conv"
    sizes = {size["what"]: (size["size"], size["aligned"]) for size in note["sizes"]}
    assert sizes == {"output channels": (16, 32), "width": (65, 72), "height": (65, 68)}
    assert note["waste"] == pytest.approx(1 - 65 * 65 / (2 * 68 * 72))
    assert [row["name"] for row in data["nodes"] if row["violations"]] == ["a_cast"]
    assert "Padded by the hardware" in surgery(*CHECK).out


def test_html(surgery: Surgery) -> None:
    called = surgery(*CHECK, "--html", "page")
    assert called.code == 1
    text = Path("page").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "What to do first" in text
    assert re.findall(r'<th role="rowheader" scope="row" class=""><code>(\w+)</code>', text)[-3:] == [
        "b_conv", "c_relu", "a_cast",
    ]  # fmt: skip
    assert "Placement" in called.out


def test_html_lists_what_was_asked_for(surgery: Surgery) -> None:
    surgery(*CHECK, "--html", "p.html", "--only", "cpu", "-q")
    text = Path("p.html").read_text(encoding="utf-8")
    assert "Node by node: cpu only" in text
    assert "<code>c_relu</code>" not in text


def test_one_page_has_a_section_for_each_model_and_march_and_for_what_failed(surgery: Surgery) -> None:
    Path("broken.onnx").write_bytes(b"no model at all")
    models = ("mixed.onnx", "broken.onnx")
    called = surgery("check", *models, "-m", "X5", "-m", "X3", "--html", "p.html", "--json", "d.json", "-q")
    assert called.code == 2
    text = Path("p.html").read_text(encoding="utf-8")
    assert re.findall(r"<h1[^>]*>([^<]*)</h1>", text) == [
        "Check for bayes-e", "Check for bernoulli2", "Failed for bayes-e", "Failed for bernoulli2",
    ]  # fmt: skip
    assert text.count("<script>") == 1
    assert len(json.loads(Path("d.json").read_text())["documents"]) == 2


def test_hostile_names_are_text_in_the_page(surgery: Surgery) -> None:
    model = model_of(MIXED, opset=11)
    for node in model.nodes():
        node.name = f"{EVIL}{node.name}"
    model.save("evil.onnx")
    called = surgery("check", "evil.onnx", "-m", "X5", "--html", "p.html", "-v")
    text = Path("p.html").read_text(encoding="utf-8")
    assert text.count("<script>") == text.count("</script>") == 1
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in text
    assert EVIL in called.out.replace("\n", "")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere/p.html", "cannot be written: No such file or directory"),
        (".", "is a folder, a file is needed"),
        ("mixed.onnx", "is a model, or another result"),
        ("d.json", "is a model, or another result"),
    ],
)
def test_where_no_page_can_be_written(surgery: Surgery, place: str, told: str) -> None:
    before = sorted(Path().iterdir())
    called = surgery(*CHECK, "--html", place, "--json", "d.json")
    assert (called.code, called.out) == (2, "")
    assert called.err.count("surgery: ") == 1
    assert told in called.err
    assert sorted(Path().iterdir()) == before


def test_no_permission_to_write(surgery: Surgery, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("surgery.report.write.tempfile.NamedTemporaryFile", refuse)
    called = surgery(*CHECK, "--html", "p.html")
    assert (called.code, called.out) == (2, "")
    assert called.err == "surgery: p.html: cannot be written: Permission denied\n"


ASSUMED = ("check", "mixed.onnx", "-m", "S100", "--assume", "bayes-e")


def test_assumed_limits_are_marked_in_text_json_and_html(surgery: Surgery) -> None:
    called = surgery(*ASSUMED, "-v", "--json", "d.json", "--html", "p.html")
    data, page = json.loads(Path("d.json").read_text()), Path("p.html").read_text(encoding="utf-8")
    count = data["assumed"]["nodes"]
    assert data["assumed"]["march"] == "bayes-e"
    assert count == sum(row["assumed"] for row in data["nodes"]) > 0
    for row in data["nodes"]:
        assert row["assumed"] == ("limits assumed from bayes-e" in row["note"])
        assert {v["evidence"] for v in row["violations"]} <= {"assumed" if row["assumed"] else "read"}
    for text in (" ".join(called.out.split()), page):
        assert text.count("limits assumed from bayes-e") >= count
        assert "as far as is known" in text
        assert re.search(rf"limits of {count} nodes? are assumed from bayes-e", text, re.IGNORECASE)


def test_unknown_is_said_where_nothing_is_assumed(surgery: Surgery) -> None:
    called = surgery("check", "mixed.onnx", "-m", "S100", "-v", "--json", "d.json", "--html", "p.html")
    data, page = json.loads(Path("d.json").read_text()), Path("p.html").read_text(encoding="utf-8")
    unknown = [row["name"] for row in data["nodes"] if row["device"] == "unknown"]
    assert len(unknown) == data["summary"]["unknown"] > 0
    assert data["assumed"] is None
    for text in (called.out, page):
        assert "as far as is known" in text
        assert "Find out about" in text
    for name in unknown:
        assert re.search(rf"^ *{name} +unknown ", called.out, re.MULTILINE)
        assert re.search(rf"<code>{name}</code></th>\s*<td[^>]*>unknown</td>", page)


def test_advice_on_efficiency(surgery: Surgery) -> None:
    plain, advised = surgery(*CHECK, "--json", "-"), surgery(*CHECK, "--json", "-", "--advise", "efficiency")
    assert (json.loads(plain.out)["efficiency"], plain.code) == (None, advised.code)
    (row,) = json.loads(advised.out)["efficiency"]["layers"]
    assert (row["name"], row["form"], row["parameters"], row["macs"]) == ("b_conv", "pointwise", 256, 256 * 65 * 65)
    assert "Efficiency of convolutions" in surgery(*CHECK, "--advise", "efficiency").out


def test_misspelt_advice(surgery: Surgery) -> None:
    called = surgery(*CHECK, "--advise", "efficient")
    assert (called.code, called.out) == (2, "")
    assert "'efficient' is not one of 'efficiency'" in " ".join(called.err.replace("│", " ").split())
