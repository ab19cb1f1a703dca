"""The YAML of ``hb_mapper makertbin`` that compiles any model without data, as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from surgery.errors import InputError

PREFIX = "m"
"""Prefix of the files it writes."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to compile.

    Attributes:
        level: O0 to O3.
        remove: node types to take off the edges, in this order.
        run_on_bpu: nodes to run on the BPU that stay on the CPU otherwise.
        optimization: values of the parameter of that name, such as ``set_all_nodes_int16``. ``run_fast``, which
            ``--fast-perf`` sets, is not among them by itself: it forces nodes onto the BPU that are slower there
            (RFB-320 at O1: 16.1 ms with it, 7.3 ms without).
        calibration: ``skip`` takes every threshold for 1, which places and times as well; any other method reads
            float32 samples of the inputs from the folders of :func:`calibration_folders`.
        cores: over how many cores of the BPU one frame is split; the compiler knows two on bernoulli2.
        batch: frames per inference, of a model with one input and a batch of 1.
    """

    level: str = "O2"
    remove: tuple[str, ...] = ()
    run_on_bpu: tuple[str, ...] = ()
    optimization: tuple[str, ...] = ()
    calibration: str = "skip"
    cores: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        if self.level not in ("O0", "O1", "O2", "O3"):
            raise InputError(f"optimisation level {self.level!r}, it has to be O0, O1, O2 or O3")


def makertbin(model: str, march: str, inputs: Mapping[str, Sequence[int]], options: Options) -> str:
    """The YAML text: feature map inputs, no calibration (thresholds of 1), layer costs in the result.

    Raises:
        InputError: the name of an input, or of a node to run on the BPU, holds a ``;``, which the format has for a
            separator.
    """
    if strange := [name for name in (*inputs, *options.run_on_bpu) if ";" in name]:
        raise InputError(f"{strange[0]!r} has a ';' in its name, which the toolchain's YAML cannot say")
    parameters = {
        "model_parameters": _model(model, march, options),
        "input_parameters": _inputs(inputs, options.batch),
        "calibration_parameters": _calibration(inputs, options),
        "compiler_parameters": _compiler(options),
    }
    return str(yaml.safe_dump(parameters, sort_keys=True, allow_unicode=True))


def _model(model: str, march: str, options: Options) -> dict[str, object]:
    said = {"onnx_model": model, "march": march, "working_dir": ".", "output_model_file_prefix": PREFIX}
    return {**said, **({"remove_node_type": ";".join(options.remove)} if options.remove else {})}


def calibration_folders(inputs: Mapping[str, object]) -> dict[str, str]:
    """The folder with the samples of each input, by name."""
    return {name: f"calibration_{index}" for index, name in enumerate(inputs)}


def _calibration(inputs: Mapping[str, object], options: Options) -> dict[str, object]:
    said: dict[str, object] = {"calibration_type": options.calibration}
    if options.run_on_bpu:
        said["run_on_bpu"] = ";".join(options.run_on_bpu)
    if options.optimization:
        said["optimization"] = ";".join(options.optimization)
    if options.calibration != "skip":
        said["cal_data_dir"] = ";".join(calibration_folders(inputs).values())
        said |= {"cal_data_type": ";".join(["float32"] * len(inputs)), "preprocess_on": False}
    return said


def _inputs(inputs: Mapping[str, Sequence[int]], batch: int) -> dict[str, object]:
    def each(value: str) -> str:
        return ";".join([value] * len(inputs))

    return {
        "input_name": ";".join(inputs),
        "input_shape": ";".join("x".join(map(str, shape)) for shape in inputs.values()),
        "input_type_rt": each("featuremap"),
        "input_type_train": each("featuremap"),
        "input_layout_rt": each("NCHW"),
        "input_layout_train": each("NCHW"),
        "norm_type": each("no_preprocess"),
        **({"input_batch": batch} if batch > 1 else {}),
    }


def _compiler(options: Options) -> dict[str, object]:
    said = {"compile_mode": "latency", "optimize_level": options.level, "debug": True}
    return {**said, "core_num": options.cores, "jobs": 1}
