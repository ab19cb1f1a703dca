"""The numbers of a quantised model: fake-quant and int8, run bit-exactly inside the toolchain's own Python."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx

from surgery.ir import Model
from surgery.toolchain.config import PREFIX, calibration_folders
from surgery.toolchain.worker import WitnessError, Worker

Array = np.ndarray[Any, Any]
RUN_SECONDS = 600.0
_ROUNDED = "_calibrated"
"""What the toolchain adds to the name of a value once it is rounded."""
_TAPPED = f"{PREFIX}_tapped_model.onnx"


class QuantiseError(WitnessError):
    """A model that the toolchain does not quantise, or whose quantised form it does not run."""


class Stage(StrEnum):
    """Which of its models: as it was read, with fake-quant nodes and float kernels, or with the kernels of the chip."""

    ORIGINAL = "original_float"
    CALIBRATED = "calibrated"
    QUANTISED = "quantized"


ROUNDED = (Stage.CALIBRATED, Stage.QUANTISED)
"""Those that quantising has changed."""


class Quantised:
    """A model that :meth:`Witness.quantise` made; float in, float out, by the names of the model it came from.

    Lives in a folder of its worker until :meth:`close`, or the end of a ``with``.
    """

    def __init__(self, worker: Worker, folder: Path, outputs: Sequence[str]) -> None:
        self._worker, self._folder, self.output_names = worker, folder, tuple(outputs)

    def run(self, feeds: Mapping[str, Array], stage: Stage = Stage.QUANTISED) -> dict[str, Array]:
        """The outputs of one sample by name."""
        return self.run_all([feeds], stage)[0]

    def run_all(self, samples: Sequence[Mapping[str, Array]], stage: Stage = Stage.QUANTISED) -> list[dict[str, Array]]:
        """The outputs of every sample; the model is loaded once.

        Raises:
            QuantiseError: it does not run.
        """
        return self._infer(f"{PREFIX}_{stage.value}_model.onnx", samples, self.output_names)

    def inside(self, samples: Sequence[Mapping[str, Array]], names: Sequence[str]) -> list[dict[str, Array]]:
        """Values of the fake-quant model for every sample, as rounded, by the names that they have in the float one.

        What the toolchain fused away, or names otherwise, is left out.
        """
        model = onnx.load(self._folder / f"{PREFIX}_{Stage.CALIBRATED.value}_model.onnx")
        made = {output for node in model.graph.node for output in node.output}
        forms = {name: [f"{name}{_ROUNDED}", name] for name in names}
        known = {n: found for n, each in forms.items() if (found := next((f for f in each if f in made), None))}
        ends = {output.name for output in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in known.values() if name not in ends)
        onnx.save(model, self._folder / _TAPPED)
        rows = self._infer(_TAPPED, samples, tuple(known.values()))
        return [{name: row[form] for name, form in known.items()} for row in rows]

    def _infer(self, file: str, samples: Sequence[Mapping[str, Array]], names: Sequence[str]) -> list[dict[str, Array]]:
        values = {f"{index}/{name}": value for index, feeds in enumerate(samples) for name, value in feeds.items()}
        np.savez(self._folder / "inputs.npz", **values)  # type: ignore[arg-type]  # its stub wants a flag by name
        made = self._folder / "outputs.npz"
        made.unlink(missing_ok=True)
        self._worker.submit("infer", [file], self._folder, RUN_SECONDS).result()
        if not made.exists():
            said = (self._folder / "output.txt").read_text(errors="replace").strip().splitlines()
            raise QuantiseError(f"{file} does not run: {said[-1] if said else 'killed'}")
        with np.load(made) as found:
            return [{name: found[f"{index}/{name}"] for name in names} for index in range(len(samples))]

    def close(self) -> None:
        """Remove its files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_samples(model: Model, samples: Sequence[Mapping[str, Array]], folder: Path) -> None:
    """Write the samples as the toolchain reads them for calibrating: raw float32, a file each.

    Raises:
        QuantiseError: an input is not float32, which it cannot calibrate.
    """
    for tensor in model.graph.inputs:
        if tensor.dtype != np.float32:
            raise QuantiseError(f"input {tensor.name!r} is {tensor.dtype}, only float32 can be calibrated")
    for name, place in calibration_folders({tensor.name: None for tensor in model.graph.inputs}).items():
        (folder / place).mkdir()
        for index, feeds in enumerate(samples):
            np.ascontiguousarray(feeds[name]).tofile(folder / place / f"{index:05}.bin")
