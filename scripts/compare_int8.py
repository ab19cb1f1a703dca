"""Hold the simulated integers against onnxruntime's own QDQ execution, and the vendor's where it is installed.

usage: compare_int8.py [MODEL.onnx[=SAMPLES.npz]]... [--march M] [--samples N] [--calibrate N] [--witness DIR]

For the shipped digits model, or what is named: share of samples with the same argmax of the first output (of the mean
over all but its last axis) as onnxruntime has when its own static quantisation (symmetric, weights per channel, largest
magnitude) makes the model, and the SQNR of both against float, in dB. Its graph optimisation is off: its fused kernels
saturate products of int8 on processors without VNNI. With --witness (a folder or auto) the SQNR of what the vendor's
toolchain calibrates and quantises, too. All calibrate on the first samples.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from surgery.drift.inputs import make_inputs
from surgery.drift.thresholds import Method
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.simulated import Simulation
from surgery.target import load_target
from surgery.toolchain import Witness, find
from surgery.toolchain.quantised import ROUNDED

ROOT = Path(__file__).resolve().parents[1]
DIGITS = f"{ROOT / 'models/digits.onnx'}={ROOT / 'models/digits.npz'}"
PER_CHANNEL = 13
"""Opset from which DequantizeLinear takes a scale per channel."""
Array = np.ndarray[Any, Any]
Sample = Mapping[str, Array]


class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Samples as onnxruntime's calibration asks for them."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.left = iter(samples)

    def get_next(self) -> dict[str, Array] | None:
        """The next sample, None after the last."""
        sample = next(self.left, None)
        return None if sample is None else dict(sample)


def of_onnxruntime(model: Model, calibrate: Sequence[Sample], samples: Sequence[Sample]) -> list[Array]:
    """The first output of what onnxruntime makes of ``model``."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        given, made = Path(folder) / "given.onnx", Path(folder) / "made.onnx"
        onnx.save(onnx.version_converter.convert_version(model.to_proto(), PER_CHANNEL), given)
        symmetric = {"ActivationSymmetric": True, "WeightSymmetric": True}
        quantize_static(
            given, made, Reader(calibrate), QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8, extra_options=symmetric,
        )  # fmt: skip
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(str(made), options, providers=["CPUExecutionProvider"])
        return [np.asarray(session.run(None, dict(sample))[0]) for sample in samples]


def sqnr(floats: Sequence[Array], rounded: Sequence[Array]) -> float:
    """Signal over error, dB."""
    error = sum(float(((a - b) ** 2).sum()) for a, b in zip(floats, rounded, strict=True))
    return 10 * float(np.log10(sum(float((a**2).sum()) for a in floats) / error)) if error else float("inf")


def same(left: Sequence[Array], right: Sequence[Array]) -> float:
    """Percent of samples with the same argmax along the last axis, of the mean over all others."""
    return 100 * float(np.mean([_class(a) == _class(b) for a, b in zip(left, right, strict=True)]))


def _class(scores: Array) -> int:
    return int(scores.reshape(-1, scores.shape[-1]).mean(axis=0).argmax())


def compare(named: str, chosen: argparse.Namespace) -> str:
    """A line about a model."""
    path, _, data = named.partition("=")
    model = Model.load(path)
    inputs = make_inputs(model, samples=chosen.samples, given=data or None)
    first = make_inputs(model, samples=chosen.calibrate, given=data or None)
    session, name = open_session(model), model.graph.outputs[0].name
    floats = [session.run(sample)[name] for sample in inputs.samples]
    simulated = Simulation(model, load_target(chosen.march), first, Method.MAX)
    run = open_session(simulated.made)
    ours = [run.run(sample)[name] for sample in inputs.samples]
    theirs = of_onnxruntime(model, first.samples, inputs.samples)
    line = f"{Path(path).name}: same argmax as onnxruntime on {same(ours, theirs):.1f} % of {len(floats)} samples; "
    line += f"as float: ours {same(ours, floats):.1f} %, onnxruntime {same(theirs, floats):.1f} %; "
    line += f"SQNR ours {sqnr(floats, ours):.1f} dB, onnxruntime {sqnr(floats, theirs):.1f} dB"
    return line + (_witnessed(model, chosen, first.samples, inputs.samples, floats) if chosen.witness else "")


def _witnessed(
    model: Model,
    chosen: argparse.Namespace,
    calibrate: Sequence[Sample],
    samples: Sequence[Sample],
    floats: list[Array],
) -> str:
    name = model.graph.outputs[0].name
    try:
        with Witness(find(chosen.witness)) as witness, witness.quantise(model, chosen.march, calibrate) as made:
            found = {stage: [run[name] for run in made.run_all(samples, stage)] for stage in ROUNDED}
    except SurgeryError as error:
        return f"; the toolchain: {error.what}"
    return "; the toolchain's " + ", ".join(
        f"{stage.value} {sqnr(floats, runs):.1f} dB" for stage, runs in found.items()
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare every model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL.onnx[=SAMPLES.npz]")
    parser.add_argument("--march", default="bayes-e")
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--calibrate", type=int, default=50)
    parser.add_argument("--witness", metavar="DIR")
    chosen = parser.parse_args(arguments)
    logging.disable(logging.WARNING)  # onnxruntime's quantiser recommends its preprocessing
    for named in chosen.models or [DIGITS]:
        print(compare(named, chosen), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
