"""What ``normalise-rank`` does before the vendor's toolchain: networks and models compiled without and with it.

usage: rank_witness.py measure [--march M...] [--only GLOB...] | table [--check]

``measure`` puts the networks of rank_networks.py and some models of the shared corpus through the default pipeline,
without the pass and with it, compiles both at O2 and adds a line per network, march and side to
data/witness/ranks.csv; what stands there already is not asked again. ``table`` writes the table of
docs/passes/normalise-rank.md. Without the toolchain it says so and exits 2.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import corpus
import rank_networks

import surgery
from surgery.errors import SurgeryError
from surgery.toolchain import Answer, Witness
from surgery.toolchain.config import Options
from surgery.toolchain.install import MARCHES

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "data/witness/ranks.csv"
PAGE = ROOT / "docs/passes/normalise-rank.md"
BEGIN, END = "<!-- table: scripts/rank_witness.py -->\n", "<!-- end of table -->\n"
MODELS = (
    "models/tv_shufflenet_v2_op11_nofold", "models/own_nhwc_transposes_op11", "latency/efficientformer_l1",
    "latency/efficientformer_l3", "latency/levit_128", "latency/fastvit_sa12", "latency/edgenext_xx_small",
    "latency/efficientvit_m5", "latency/yolo11n_cls",
)  # fmt: skip
"""Models of the corpus of opset 11 in which something has another rank than 4."""
COLUMNS = ("network", "march", "side", "rules", "refusal", "rows", "cpu", "segments", "latency_us")
SIDES = {"without": ["normalise-rank"], "with": []}


def main() -> int:
    """Measure, or write the table."""
    chosen = _arguments()
    if chosen.what == "table":
        return table(check=chosen.check)
    try:
        witness = Witness()
    except SurgeryError as error:
        print(error, file=sys.stderr)
        return 2
    with witness:
        for name, model in sources(chosen.only):
            for march in chosen.march:
                measure(witness, name, model, march)
    return 0


def sources(only: list[str]) -> Iterator[tuple[str, Any]]:
    """Networks, then models of the corpus, by name."""
    made = [(name, proto) for name, proto in rank_networks.networks()]
    held = [(item.name, item.filled) for item in corpus.items(MODELS)]
    for name, model in (*made, *held):
        if any(fnmatch(name, pattern) for pattern in only):
            yield name, model() if callable(model) else model


def measure(witness: Witness, name: str, model: Any, march: str) -> None:
    """Both sides of one network on one march; what the pass leaves alone is compiled once."""
    if (name, march) in {(row["network"], row["march"]) for row in found()}:
        return
    rows = []
    for side, skip in SIDES.items():
        done = surgery.run(model, march=march, skip=skip, verify="off")
        rules = [edit.change.rule for edit in done.result.edits if edit.by == "normalise-rank"]
        answer = witness.compile(done.model, march, Options("O2"), limit=600)
        rows.append(entry(name, march, side, rules, answer))
        print(rows[-1], flush=True)
    new = not FOUND.exists()
    with FOUND.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)


def entry(name: str, march: str, side: str, rules: list[str], answer: Answer) -> dict[str, Any]:
    """The line of one answer."""
    place, speed = answer.placement, answer.performance
    counted = {rule: rules.count(rule) for rule in dict.fromkeys(rules)}
    return {
        "network": name,
        "march": march,
        "side": side,
        "rules": " ".join(f"{rule}:{count}" for rule, count in counted.items()),
        "refusal": "" if answer.refusal is None else answer.refusal.kind.value,
        "rows": None if place is None else len(place.rows),
        "cpu": None if place is None else len(place.cpu),
        "segments": None if place is None else place.segments,
        "latency_us": None if speed is None else round(speed.latency_us, 1),
    }


def found() -> list[dict[str, str]]:
    """What was measured so far."""
    if not FOUND.exists():
        return []
    with FOUND.open(newline="") as file:
        return list(csv.DictReader(file))


def table(*, check: bool) -> int:
    """Write the table into the page, or say whether it is there."""
    pairs: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for row in found():
        pairs.setdefault((row["march"], row["network"]), {})[row["side"]] = row
    lines = ["| march | network | without | with | rules |", "|---|---|---|---|---|"]
    for (march, name), sides in sorted(pairs.items(), key=lambda pair: pair[0][0]):
        texts = (said(sides[side]) for side in SIDES)
        lines.append(f"| {march} | {name} | {' | '.join(texts)} | {sides['with']['rules'].replace(' ', ', ')} |")
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    text = f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n\n{END}{rest.partition(END)[2]}"
    if check:
        print("current" if text == page else f"{PAGE.name} is not current")
        return int(text != page)
    PAGE.write_text(text, encoding="utf-8")
    return 0


def said(row: dict[str, str]) -> str:
    """One side: microseconds on the BPU, segments and rows on the CPU; or why there is no time."""
    if row["refusal"]:
        return f"refused ({row['refusal']})"
    return f"{row['latency_us']} us, {row['segments']} seg, {row['cpu']} CPU"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("measure", "table"))
    parser.add_argument("--march", nargs="+", default=["bayes-e"], choices=MARCHES)
    parser.add_argument("--only", nargs="+", default=["*"])
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
