"""The journal and the tables of scripts/measure.py."""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import pytest

from surgery.toolchain.log import TableRow
from surgery.toolchain.refusal import Kind, Refusal
from surgery.toolchain.results import Answer, Placement
from tests.support import ROOT


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import measure as module

    monkeypatch.setattr(module, "JOURNALS", tmp_path / "journals")
    return module


def answer(refusal: Refusal | None = None) -> Answer:
    rows = (TableRow("a", "bpu", 0, "Conv", "int8"), TableRow("b", "cpu", None, "Reshape", "float"))
    place = None if refusal else Placement(rows, (), (), ())
    return Answer("bayes", refusal, place, None, (), {"hbdk": "3"}, 1.5, cached=False)


def options(out: Path) -> argparse.Namespace:
    return argparse.Namespace(what="placement", out=out, march=["bayes"], jobs=1)


def test_tables(measure: ModuleType, tmp_path: Path) -> None:
    journal = measure.Journal(tmp_path / "out" / "p", "placement")
    journal.add(measure.entry_of("two", answer(Refusal(Kind.OPSET, "too new"))))
    journal.add(measure.entry_of("one", answer()))
    journal.write(options(journal.out))
    lines = list(csv.DictReader((tmp_path / "out/p.csv").read_text().splitlines()))
    assert [(line["model"], line["accepted"], line["cpu"], line["reason"]) for line in lines] == [
        ("one", "1", "1", ""),
        ("two", "0", "0", "too new"),
    ]
    rows = gzip.decompress((tmp_path / "out/p_rows.csv.gz").read_bytes()).decode().splitlines()
    assert rows[1:] == ["one,bayes,a,Conv,bpu,0,int8", "one,bayes,b,Reshape,cpu,,float"]
    said: dict[str, Any] = json.loads((tmp_path / "out/p.json").read_text())
    assert (said["tools"], said["models"], said["options"]) == ({"hbdk": "3"}, 2, {"march": ["bayes"]})


def test_the_same_answers_give_the_same_bytes(measure: ModuleType, tmp_path: Path) -> None:
    for name, order in (("p", "ab"), ("q", "ba")):
        journal = measure.Journal(tmp_path / name, "placement")
        for model in order:
            journal.add(measure.entry_of(model, answer()))
        journal.write(options(journal.out))
    assert (tmp_path / "p_rows.csv.gz").read_bytes() == (tmp_path / "q_rows.csv.gz").read_bytes()


def test_goes_on_after_a_line_that_was_cut_off(measure: ModuleType, tmp_path: Path) -> None:
    journal = measure.Journal(tmp_path / "p", "placement")
    journal.add(measure.entry_of("one", answer()))
    with journal.path.open("a") as file:
        file.write('{"model": "two", "mar')
    again = measure.Journal(tmp_path / "p", "placement")
    assert list(again.done) == [("one", "bayes")]
    again.add(measure.entry_of("two", answer()))
    assert len(measure.Journal(tmp_path / "p", "placement").done) == 2


def test_every_probe_is_a_valid_model(measure: ModuleType) -> None:
    networks = dict(measure.probes.networks())
    assert len(networks) == 590
    for name in list(networks)[::29]:
        onnx.checker.check_model(networks[name]())
