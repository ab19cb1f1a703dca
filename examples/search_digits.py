"""Searches variants of the model that ships here for the best in accuracy and predicted time, float and int8.

    python examples/search_digits.py build/search.html

What ``surgery tradeoff`` does, from Python: the space is docs/examples/space.yaml, 48 variants.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import surgery
from surgery.report import TradeoffDocument

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # for the evaluator of the model, which is not installed

from models.eval import accuracy  # noqa: E402


def main() -> int:
    """Search, and print the front; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("report", type=Path, help="the page to write")
    parser.add_argument("--trials", type=int, default=64, help="variants, at most")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--float", action="store_true", help="do not simulate int8")
    asked = parser.parse_args()

    found: TradeoffDocument = surgery.tradeoff(
        ROOT / "models" / "digits.onnx",
        march="X3",
        space=ROOT / "docs" / "examples" / "space.yaml",
        add=["strip-io-nodes"],
        eval_=accuracy,
        int8=not asked.float,
        inputs=ROOT / "models" / "digits.npz",
        samples=16,
        trials=asked.trials,
        workers=asked.workers,
    )
    print("variant   latency  accuracy  what it is")
    for number in found.front:
        variant = found.variants[number]
        settings = ", ".join(f"{name}={value}" for name, value in variant.settings.items())
        what = " ".join([settings, *(f"without {name}" for name in variant.skip)])
        time = variant.latency_ms.mid if variant.latency_ms else None
        print(f"{number:7}  {time or 0:.3f} ms  {found.value(variant):.4f}    {what}")
    asked.report.parent.mkdir(parents=True, exist_ok=True)
    found.to_html(asked.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
