"""Put the YAMLs that `surgery config` writes for the corpus to the real hb_mapper, and write the table of docs/lint.md.

usage: config_corpus.py [--measure] [--march M]... [--only GLOB]... [--large] [--remove TYPE|auto]... [--witness DIR]
                        [--limit S] [--check]

With --measure, each model is asked about as exported: with the YAML that the witness compiles by, and with ours, both
at level O0, since what is accepted does not depend on it. A row says whether each was taken, and the reason of ours.
Rows are kept in data/config/accepted.csv as they come, and models that have one are passed over, so that the script can
be stopped and started again. Exits 1 when a model that the tool compiles is refused with our YAML. Otherwise the table
is written from that file; with --check nothing is written, and 1 is returned if the page is not current.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import asking
import corpus
import page
import yaml

import surgery
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.toolchain import Witness
from surgery.toolchain.config import Options
from surgery.toolchain.files import MODEL

ROOT = Path(__file__).resolve().parents[1]
PAGE, DATA = ROOT / "docs/lint.md", ROOT / "data/config/accepted.csv"


class Row(NamedTuple):
    """Whether the tool took the model with its own YAML and with ours; ``said`` is why not."""

    model: str
    march: str
    plain: str
    ours: str
    said: str


def put(item: corpus.Item, march: str, witness: Witness, options: argparse.Namespace) -> Row:
    """Ask about one model."""
    path = item.filled()
    plain = witness.compile(path, march, Options("O0"), shapes=item.shapes, limit=options.limit)
    taken = "no" if plain.refusal else "yes"
    try:
        text, model = written(path, item, march, options.remove or ())
        found = witness.convert(model, text, march, limit=options.limit)
    except SurgeryError as error:
        return Row(item.name, march, taken, "no", _named(str(error), path, item.name))
    return Row(item.name, march, taken, "no" if found.refusal else "yes", found.refusal.text if found.refusal else "")


def written(path: Path, item: corpus.Item, march: str, remove: tuple[str, ...]) -> tuple[str, Model | Path]:
    """Our YAML, its folders those of the witness, and the model that it is for."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "config.yaml"
        surgery.config(path, march=march, output=place, input_shape=item.shapes, remove=remove)
        data = yaml.safe_load(place.read_text(encoding="utf-8"))
    data["model_parameters"] |= {"onnx_model": MODEL, "working_dir": "."}
    data["compiler_parameters"]["optimize_level"] = "O0"
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True)), path


def _named(text: str, path: Path, name: str) -> str:
    """A message on one line, with the model's name in the place of its file."""
    return " ".join(text.replace(f"{path}: ", "").replace(str(path), name).split())


def rows() -> list[Row]:
    """The rows that there are."""
    if not DATA.exists():
        return []
    with DATA.open(newline="", encoding="utf-8") as file:
        return [Row(**line) for line in csv.DictReader(file)]


def measure(witness: Witness, options: argparse.Namespace) -> bool:
    """Ask about what has no row yet; whether the tool refused one of ours where it takes its own."""
    found, worse = rows(), False
    DATA.parent.mkdir(parents=True, exist_ok=True)
    for march in options.march or asking.MARCHES:
        done = {row.model for row in found if row.march == march}
        for item in corpus.items(options.only or ["*"], large=options.large):
            if item.name not in done:
                found.append(put(item, march, witness, options))
                print(*found[-1], flush=True)
                worse |= (found[-1].plain, found[-1].ours) == ("yes", "no")
                with DATA.open("w", newline="", encoding="utf-8") as file:
                    csv.writer(file, lineterminator="\n").writerows([Row._fields, *sorted(found)])
    return worse


def lines() -> Iterator[str]:
    """The table: counts per march and folder of the corpus."""
    yield "| march | models | asked about | the tool compiles | accepted with our YAML |"
    yield "|---|---|--:|--:|--:|"
    found = rows()
    for march, folder in sorted({(row.march, row.model.split("/")[0]) for row in found}):
        asked = [row for row in found if row.march == march and row.model.startswith(f"{folder}/")]
        taken = [row for row in asked if row.plain == "yes"]
        yield f"| {march} | {folder} | {len(asked)} | {len(taken)} | {sum(row.ours == 'yes' for row in taken)} |"


def main() -> int:
    """Measure, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="ask about what is not in the data yet")
    parser.add_argument("--check", action="store_true", help="only say whether the page is current")
    parser.add_argument("--only", action="append", metavar="GLOB")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--remove", action="append", metavar="TYPE|auto")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds per compile")
    asking.arguments(parser)
    options = parser.parse_args()
    if not options.measure:
        return page.write(PAGE, "config_corpus.py", "\n".join(lines()) + "\n")
    corpus.need_corpus()
    worse: list[bool] = []
    code = asking.asked(options.witness, lambda witness: worse.append(measure(witness, options)))
    return code or int(any(worse))


if __name__ == "__main__":
    sys.exit(main())
