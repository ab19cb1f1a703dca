"""Looks at the model that ships here, rewrites it for a chip, and writes the result, a report and the host's code.

    python examples/fit_digits.py build/digits

What the command line does as ``surgery check`` and ``surgery run``, from Python. Writes nothing where the rewritten
model is less accurate than the one that was given.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import surgery

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "models" / "digits.onnx"
sys.path.insert(0, str(ROOT))  # for the evaluator of the model, which is not installed

from models.eval import accuracy  # noqa: E402


def main() -> int:
    """Check, rewrite, save; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where to write; made where it is not there")
    parser.add_argument("--march", default="X3")
    asked = parser.parse_args()

    found = surgery.check(MODEL, march=asked.march)
    print(f"as given    accepted: {found.accepted}, {found.summary.cpu} nodes on the CPU")
    for violation in sorted({row.constraint for node in found.nodes for row in node.violations}):
        print(f"            breaks {violation}")

    done = surgery.run(
        MODEL, march=asked.march, add=["strip-io-nodes"], inputs=ROOT / "models" / "digits.npz", eval_=accuracy
    )
    before, after = done.result.metrics or ({}, {})
    print(f"rewritten   accepted: {done.report.after.accepted}, {done.report.after.cpu} nodes on the CPU")
    print(f"accuracy    {before['accuracy']:.4f}, rewritten {after['accuracy']:.4f}, verified: {done.report.verified}")
    if done.report.after.latency_ms is not None:
        times = (done.report.before.latency_ms, done.report.after.latency_ms)
        print("latency     " + ", rewritten ".join(f"{span.mid:.3f} ms" for span in times if span is not None))
    if after["accuracy"] < before["accuracy"]:
        return 1
    asked.folder.mkdir(parents=True, exist_ok=True)
    done.save(asked.folder / "digits.onnx")
    done.report.to_html(asked.folder / "report.html")
    done.host_code().save(asked.folder / "host")
    print(f"written     {asked.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
