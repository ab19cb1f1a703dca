"""Put the YAMLs that `surgery config` writes for the corpus to the real hb_mapper makertbin.

usage: config_corpus.py [--march M]... [--only GLOB]... [--large] [--remove TYPE|auto]... [--witness DIR] [--limit S]
                        [--out FILE.csv]

Each model is asked about as exported: with the YAML that the witness compiles by, and with ours, both at level O0,
since what is accepted does not depend on it. A row says whether each was taken, and the reason of ours. Rows are kept
in --out as they come, and models that have one are passed over, so that the script can be stopped and started again.
Exits 1 when a model that the tool compiles is refused with our YAML.
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
import yaml

import surgery
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.toolchain import Witness
from surgery.toolchain.config import Options
from surgery.toolchain.files import MODEL


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
        return Row(item.name, march, taken, "no", " ".join(str(error).split()))
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


def known(path: Path) -> set[tuple[str, str]]:
    """The models and marches that have a row."""
    if not path.is_file():
        return set()
    with path.open(newline="", encoding="utf-8") as lines:
        return {(row["model"], row["march"]) for row in csv.DictReader(lines)}


def rows(witness: Witness, options: argparse.Namespace) -> Iterator[Row]:
    """The rows that are not there yet, written as they come."""
    done, new = known(options.out), not options.out.is_file()
    with options.out.open("a", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        if new:
            table.writerow(Row._fields)
        for item in corpus.items(options.only or ["*"], large=options.large):
            for march in options.march or asking.MARCHES:
                if (item.name, march) not in done:
                    row = put(item, march, witness, options)
                    table.writerow(row)
                    file.flush()
                    yield row


def main() -> int:
    """Ask, and print a line per model; 1 when ours is refused where the tool's own is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="GLOB")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--remove", action="append", metavar="TYPE|auto")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds per compile")
    parser.add_argument("--out", type=Path, default=Path("config_corpus.csv"))
    asking.arguments(parser)
    options = parser.parse_args()
    corpus.need_corpus()
    worse: list[Row] = []

    def ask(witness: Witness) -> None:
        for row in rows(witness, options):
            print(*row)
            if (row.plain, row.ours) == ("yes", "no"):
                worse.append(row)

    code = asking.asked(options.witness, ask)
    return code or int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
