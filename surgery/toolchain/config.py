"""The YAML of ``hb_mapper makertbin`` that compiles any model without data, as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from surgery.errors import InputError
from surgery.toolchain.conversion.facts import tool
from surgery.toolchain.conversion.plan import Feed, Plan, sections

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
    plan = Plan(
        model=model,
        march=march,
        inputs=tuple(Feed(name, tuple(shape)) for name, shape in inputs.items()),
        batch=options.batch,
        level=options.level,
        working_dir=".",
        prefix=PREFIX,
        remove=options.remove,
        run_on_bpu=options.run_on_bpu,
        optimization=options.optimization,
        method=options.calibration,
        samples=() if options.calibration == "skip" else tuple(calibration_folders(inputs).values()),
        debug=True,
        cores=options.cores,
        jobs=1,
    )
    return str(yaml.safe_dump(sections(plan, tool("hb_mapper")), sort_keys=True, allow_unicode=True))


def calibration_folders(inputs: Mapping[str, object]) -> dict[str, str]:
    """The folder with the samples of each input, by name."""
    return {name: f"calibration_{index}" for index, name in enumerate(inputs)}
