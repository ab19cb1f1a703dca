"""The journal and the tables of scripts/measure.py."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from surgery.toolchain.log import TableRow
from surgery.toolchain.performance import Layer, Performance, Segment, Timeline
from surgery.toolchain.refusal import Kind, Refusal
from surgery.toolchain.results import Answer, Placement
from tests.support import ROOT

OPTIONS = {"march": ["bayes"]}


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import tables as module

    monkeypatch.setattr(module, "JOURNALS", tmp_path / "journals")
    return module


def answer(refusal: Refusal | None = None) -> Answer:
    rows = (TableRow("a", "bpu", 0, "Conv", "int8"), TableRow("b", "cpu", None, "Reshape", "float"))
    place = None if refusal else Placement(rows, (), (), ())
    return Answer("bayes", refusal, place, None, (), {"hbdk": "3"}, 1.5, cached=False)


def compiled(name: str = "c") -> Answer:
    layers = (
        Layer(name, 128, (1, 8, 8, 8), (1, 8, 8, 16), 2.0, 1.5, 0.5, 3.25),
        Layer("alone", 0, (), (), 0.0, 0.0, None, None),
    )
    segment = Segment("s", 12.25, 1.0, 1000, 500, 500, 128, Timeline(0.1, (), (), ()), layers)
    return replace(answer(), performance=Performance("O2", (segment,)))


def test_tables(tables: ModuleType, tmp_path: Path) -> None:
    journal = tables.Journal(tmp_path / "out" / "p", "placement")
    journal.add(tables.entry_of("two", answer(Refusal(Kind.OPSET, "too new"))))
    journal.add(tables.entry_of("one", answer()))
    journal.write(OPTIONS)
    lines = list(csv.DictReader((tmp_path / "out/p.csv").read_text().splitlines()))
    assert [(line["model"], line["accepted"], line["cpu"], line["reason"]) for line in lines] == [
        ("one", "1", "1", ""),
        ("two", "0", "0", "too new"),
    ]
    rows = gzip.decompress((tmp_path / "out/p_rows.csv.gz").read_bytes()).decode().splitlines()
    assert rows[1:] == ["one,bayes,a,Conv,bpu,0,int8", "one,bayes,b,Reshape,cpu,,float"]
    said: dict[str, Any] = json.loads((tmp_path / "out/p.json").read_text())
    assert (said["tools"], said["models"], said["options"]) == ({"hbdk": "3"}, 2, OPTIONS)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"p.csv", "p.json", "p_rows.csv.gz"}


def test_layers(tables: ModuleType, tmp_path: Path) -> None:
    journal = tables.Journal(tmp_path / "p", "performance")
    journal.add(tables.entry_of("one", compiled()))
    journal.write(OPTIONS)
    rows = gzip.decompress((tmp_path / "p_layers.csv.gz").read_bytes()).decode().splitlines()
    assert rows[1:] == ["one,bayes,0,c,128,1x8x8x8,1x8x8x16,2.0,1.5,0.5,3.25", "one,bayes,0,alone,0,,,0.0,0.0,,"]
    [line] = csv.DictReader((tmp_path / "p.csv").read_text().splitlines())
    assert (line["latency_us"], line["ddr_bytes"], line["ops"], line["segments"]) == ("12.25", "1000", "128", "1")


def test_the_same_answers_give_the_same_bytes(tables: ModuleType, tmp_path: Path) -> None:
    for name, order in (("p", "ab"), ("q", "ba")):
        journal = tables.Journal(tmp_path / name, "placement")
        for model in order:
            journal.add(tables.entry_of(model, answer()))
        journal.write(OPTIONS)
    assert (tmp_path / "p_rows.csv.gz").read_bytes() == (tmp_path / "q_rows.csv.gz").read_bytes()


def test_goes_on_where_the_tables_end(tables: ModuleType, tmp_path: Path) -> None:
    said = [
        tables.entry_of('a \x1b\n, "b"\r\u2028é', compiled('evil\n"name", ü\r\x85')),
        tables.entry_of("refused", answer(Refusal(Kind.OPSET, "the opset, 17,\nis too new"))),
    ]
    first = tables.Journal(tmp_path / "p", "performance")
    for entry in said:
        first.add(entry)
    first.write(OPTIONS)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("p*")}
    first.path.unlink()
    again = tables.Journal(tmp_path / "p", "performance")
    assert set(again.done) == {(entry["model"], "bayes") for entry in said}
    again.write(OPTIONS)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("p*")} == before


def test_what_came_since_outranks_the_tables(tables: ModuleType, tmp_path: Path) -> None:
    journal = tables.Journal(tmp_path / "p", "placement")
    journal.add(tables.entry_of("one", answer(Refusal(Kind.TIMEOUT, "not done"))))
    journal.write(OPTIONS)
    journal.add(tables.entry_of("one", answer()))
    assert "refusal" not in tables.Journal(tmp_path / "p", "placement").done["one", "bayes"]


def test_goes_on_after_a_line_that_was_cut_off(tables: ModuleType, tmp_path: Path) -> None:
    journal = tables.Journal(tmp_path / "p", "placement")
    journal.add(tables.entry_of("one", answer()))
    with journal.path.open("a") as file:
        file.write('{"model": "two", "mar')
    again = tables.Journal(tmp_path / "p", "placement")
    assert list(again.done) == [("one", "bayes")]
    again.add(tables.entry_of("two", answer()))
    assert len(tables.Journal(tmp_path / "p", "placement").done) == 2


@pytest.mark.parametrize("name", ["placement", "probes", "latency_o2_bayes-e"])
def test_committed_tables_have_a_table_or_one_reason_a_model(tables: ModuleType, name: str) -> None:
    entries = list(tables.written(ROOT / "data/witness" / name))
    assert entries
    assert [e["model"] for e in entries if not e.get("reason") and not e["rows"]] == []
    assert [e["model"] for e in entries if "\n" in e.get("reason", "")] == []
