"""The numbers of a quantised model: fake-quant and int8, run bit-exactly inside the toolchain's own Python."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import numpy as np

from surgery.ir import Model
from surgery.toolchain.config import PREFIX, calibration_folders
from surgery.toolchain.worker import WitnessError, Worker

Array = np.ndarray[Any, Any]
RUN_SECONDS = 600.0


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
        values = {f"{index}/{name}": value for index, feeds in enumerate(samples) for name, value in feeds.items()}
        np.savez(self._folder / "inputs.npz", **values)  # type: ignore[arg-type]  # its stub wants a flag by name
        made = self._folder / "outputs.npz"
        made.unlink(missing_ok=True)
        argv = [f"{PREFIX}_{stage.value}_model.onnx"]
        self._worker.submit("infer", argv, self._folder, RUN_SECONDS).result()
        if not made.exists():
            said = (self._folder / "output.txt").read_text(errors="replace").strip().splitlines()
            raise QuantiseError(f"the {stage.value} model does not run: {said[-1] if said else 'killed'}")
        with np.load(made) as found:
            return [{name: found[f"{index}/{name}"] for name in self.output_names} for index in range(len(samples))]

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
