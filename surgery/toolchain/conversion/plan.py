"""A configuration made: what to convert, how it is fed, where nodes run, how hard the compiler tries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from surgery.errors import InputError
from surgery.toolchain.conversion.facts import Tool
from surgery.toolchain.conversion.rules.inputs import FEATUREMAP
from surgery.toolchain.conversion.values import NOTHING, joined, norm_type


@dataclass(frozen=True, slots=True)
class Feed:
    """One input.

    Attributes:
        name: of the graph input.
        shape: of the network's input.
        form: what the application feeds, such as ``nv12``; a feature map is fed as it is.
        trained: the format that the network was trained on.
        layout: of the network's input.
        mean: subtracted from each channel first, numbers parted by blanks; "" for nothing.
        scale: each channel is multiplied by it then.
    """

    name: str
    shape: tuple[int, ...]
    form: str = FEATUREMAP
    trained: str = FEATUREMAP
    layout: str = "NCHW"
    mean: str = ""
    scale: str = ""

    @property
    def norm(self) -> str:
        """Its ``norm_type``."""
        return norm_type(mean=bool(self.mean), scale=bool(self.scale))

    @property
    def layout_rt(self) -> str:
        """How the application lays it out: images as cameras do."""
        return self.layout if self.form == FEATUREMAP else "NHWC"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a configuration says.

    Attributes:
        model: the file, relative to that of the configuration.
        march: whose tool it is for.
        inputs: in order.
        level: how hard the compiler tries.
        working_dir: where the tool writes.
        prefix: how the files that it writes begin.
        remove: node types to take off the edges, in this order.
        run_on_bpu: nodes to run on the BPU that stay on the CPU otherwise.
        optimization: values of the parameter of that name.
        method: of calibration; "" for the tool's own choice.
        samples: folders of calibration data, one per input.
        debug: whether costs per layer are kept.
        cores: over how many cores of the BPU one frame is split.
        batch: frames per inference, of a model with one input and a batch of 1.
        jobs: processes of the compiler; None for its own choice.
    """

    model: str
    march: str
    inputs: tuple[Feed, ...]
    level: str
    working_dir: str = "model_output"
    prefix: str = "model"
    remove: tuple[str, ...] = ()
    run_on_bpu: tuple[str, ...] = ()
    optimization: tuple[str, ...] = ()
    method: str = "skip"
    samples: tuple[str, ...] = ()
    debug: bool = False
    cores: int = 1
    batch: int = 1
    jobs: int | None = None


def sections(plan: Plan, tool: Tool) -> dict[str, dict[str, object]]:
    """The data of the file: what has a value in the plan, and a meaning to the tool.

    Raises:
        InputError: a name holds a ``;``, which the format has for a separator.
    """
    if strange := [name for name in (*(feed.name for feed in plan.inputs), *plan.run_on_bpu) if ";" in name]:
        raise InputError(f"{strange[0]!r} has a ';' in its name, which the toolchain's YAML cannot say")
    made = {
        "model_parameters": _model(plan),
        "input_parameters": _inputs(plan),
        "calibration_parameters": _calibration(plan),
        "compiler_parameters": _compiler(plan),
    }
    return {section: dict(_meant(values, tool)) for section, values in made.items()}


def _meant(values: dict[str, object], tool: Tool) -> list[tuple[str, object]]:
    """The keys that the tool reads, with a value."""
    facts = {name: tool.key(name) for name in values}
    return [
        (name, value)
        for name, value in values.items()
        if value not in ("", None) and (key := facts[name]) is not None and not key.deprecated
    ]


def _model(plan: Plan) -> dict[str, object]:
    return {
        "onnx_model": plan.model,
        "march": plan.march,
        "working_dir": plan.working_dir,
        "output_model_file_prefix": plan.prefix,
        "remove_node_type": joined(plan.remove),
    }


def _inputs(plan: Plan) -> dict[str, object]:
    feeds = plan.inputs
    return {
        "input_name": joined([feed.name for feed in feeds]),
        "input_shape": joined(["x".join(map(str, feed.shape)) for feed in feeds]),
        "input_type_rt": joined([feed.form for feed in feeds]),
        "input_type_train": joined([feed.trained for feed in feeds]),
        "input_layout_rt": joined([feed.layout_rt for feed in feeds]),
        "input_layout_train": joined([feed.layout for feed in feeds]),
        "norm_type": joined([feed.norm for feed in feeds]),
        "mean_value": _per_channel([feed.mean for feed in feeds]),
        "scale_value": _per_channel([feed.scale for feed in feeds]),
        "input_batch": plan.batch if plan.batch > 1 else None,
    }


def _per_channel(values: Sequence[str]) -> str:
    return joined([value or NOTHING for value in values]) if any(values) else ""


def _calibration(plan: Plan) -> dict[str, object]:
    said: dict[str, object] = {
        "calibration_type": plan.method,
        "run_on_bpu": joined(plan.run_on_bpu),
        "optimization": joined(plan.optimization),
    }
    if plan.samples:
        said["cal_data_dir"] = joined(plan.samples)
        said |= {"cal_data_type": joined(["float32"] * len(plan.samples)), "preprocess_on": False}
    return said


def _compiler(plan: Plan) -> dict[str, object]:
    return {
        "compile_mode": "latency",
        "optimize_level": plan.level,
        "debug": plan.debug,
        "core_num": plan.cores,
        "jobs": plan.jobs,
    }
