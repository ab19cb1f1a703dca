"""What ``config`` makes: a configuration of the vendor's tool for one model, from the model and its placement."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from surgery.errors import InputError, unknown
from surgery.ir import Model
from surgery.ir.graph import Tensor
from surgery.pipeline.lifted import Lifted, lifted
from surgery.pipeline.view import frozen, place_as_seen
from surgery.report.base import ModelRef
from surgery.report.config import ConfigDocument
from surgery.report.lint import finding_rows, sources
from surgery.report.removal import removal_part
from surgery.report.write import check_writable, need_apart, write_text
from surgery.requested import requested
from surgery.target import Placement, load_target
from surgery.toolchain.conversion import Document, Interface, Settings, Severity, Tool, lint, tool_of
from surgery.toolchain.conversion.plan import Feed, Plan, sections
from surgery.toolchain.conversion.rules.inputs import FEATUREMAP

Shapes = Mapping[str, Sequence[int]]
_GRAY = "gray"
_PLAIN = Lifted()


@dataclass(frozen=True)
class Wanted:
    """What a model does not say of itself.

    Attributes:
        shapes: sizes of inputs that are not fixed.
        forms: what the application feeds, by input; where nothing is said, pictures for an input whose normalisation
            was lifted, feature maps for others.
        trained: what the network was trained on, by input; for images rgb, or what was lifted makes of that.
        means: subtracted per channel, by input; what was lifted where nothing is said.
        scales: multiplied with per channel then, by input, likewise.
        samples: folders of calibration data, one per input; without, thresholds are guessed (``skip``).
        remove: node types to take off the edges, in order; ``auto`` for those that are there.
    """

    shapes: Shapes = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    trained: Mapping[str, str] = field(default_factory=dict)
    means: Mapping[str, str] = field(default_factory=dict)
    scales: Mapping[str, str] = field(default_factory=dict)
    samples: Sequence[str] = ()
    remove: Sequence[str] = ()


def configured(model: Model, march: str, output: Path, wanted: Wanted) -> ConfigDocument:
    """The configuration of ``model``, a file, for ``march``, written to ``output``.

    Raises:
        InputError: what :func:`drafted` raises; nothing is written then.
    """
    text, document = drafted(model, march, output, wanted)
    write_text(text, output)
    return document


def drafted(model: Model, march: str, output: Path, wanted: Wanted) -> tuple[str, ConfigDocument]:
    """The text of the configuration that goes to ``output``, and what it says; nothing is written.

    Raises:
        InputError: ``output`` is the model or cannot be written, an input has sizes that nobody states, something
            named is not there, or the tool would refuse the configuration.
    """
    need_apart(output, model.path)
    check_writable(output)
    target, sized = load_target(march), frozen(model, wanted.shapes) if wanted.shapes else model
    facts = tool_of(target.name)
    if facts is None:
        raise InputError(f"no tool is known that converts for {target.name}", where="--march")
    _need_inputs(sized, wanted)
    _need_folders(wanted.samples, output.parent)
    placed = place_as_seen(sized, target)
    feeds = _feeds(sized, facts, wanted)
    fed = frozenset(feed.name for feed in feeds if feed.form == FEATUREMAP)
    taken = removal_part(placed, wanted.remove, fed) if wanted.remove else None
    plan, notes = _plan(sized, placed, facts, output, wanted, feeds, taken.types if taken else ())
    data = sections(plan, facts)
    text = f"# Written by surgery config: {facts.command.replace('CONFIG', 'this file')}\n{_written(data)}"
    settings = Settings(yaml.safe_load(text), facts, interface=Interface.of(sized, plan.run_on_bpu))
    findings = lint(settings)
    if wrong := next((one for one in findings if one.severity is Severity.ERROR), None):
        raise InputError(f"{facts.tool} would refuse it: {wrong.key}: {wrong.text}", where=str(output), hint=wrong.fix)
    return text, ConfigDocument(
        path=str(output),
        tool=facts.tool,
        march=target.name,
        model=ModelRef.of(model),
        accepted=placed.accepted,
        command=facts.command.replace("CONFIG", shlex.quote(str(output))),
        settings=data,
        notes=notes,
        findings=finding_rows(findings, Document(output, text, {}).line),
        removal=taken,
        sources=sources(facts),
    )


def _written(data: Mapping[str, object]) -> str:
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1 << 16))


def _need_inputs(model: Model, wanted: Wanted) -> None:
    """Raise for inputs that are named and not there, and for sizes that are not fixed."""
    names = [tensor.name for tensor in model.graph.inputs]
    if not names:
        raise InputError("the model has no input, and a configuration is about its inputs")
    for name in {**wanted.forms, **wanted.trained, **wanted.means, **wanted.scales}:
        if name not in names:
            raise unknown("input", name, names)
    for tensor in model.graph.inputs:
        if tensor.shape is None or not all(isinstance(dim, int) for dim in tensor.shape):
            hint = f"--input-shape '{tensor.name}={_sizes(tensor)}'"
            raise InputError(f"input {tensor.name!r} has sizes that are not fixed", hint=hint)
    if wanted.samples and len(wanted.samples) != len(names):
        raise InputError(
            f"{len(wanted.samples)} folders for {len(names)} inputs", where="--cal-data", hint="one each, in order"
        )


def _need_folders(samples: Sequence[str], folder: Path) -> None:
    """Raise for calibration data that are not there; names are read from the folder of the configuration."""
    for one in samples:
        if not (folder / one).is_dir():
            hint = f"it is looked for from where the configuration is ({folder})"
            raise InputError(f"there is no folder {one!r}", where="--cal-data", hint=hint)


def _sizes(tensor: Tensor) -> str:
    """A shape to be filled in: numbers as they are, letters for the others."""
    if tensor.shape is None:
        return "SIZES"
    letters = "NCHW" if len(tensor.shape) == len("NCHW") else "N" + "L" * len(tensor.shape)
    return "x".join(
        str(dim) if isinstance(dim, int) else letter for dim, letter in zip(tensor.shape, letters, strict=False)
    )


def _feeds(model: Model, facts: Tool, wanted: Wanted) -> tuple[Feed, ...]:
    """How each input is fed."""
    known, parted = lifted(model), ", " if facts.tool == "hb_compile" else " "
    return tuple(_feed(tensor, wanted, known.get(tensor.name, _PLAIN), parted) for tensor in model.graph.inputs)


def _plan(
    model: Model,
    placed: Placement,
    facts: Tool,
    output: Path,
    wanted: Wanted,
    feeds: tuple[Feed, ...],
    taken: tuple[str, ...],
) -> tuple[Plan, tuple[str, ...]]:
    """What to write, and what there is to say about it."""
    target, asked = placed.target, requested(model, placed.target)
    path = model.path or Path("model.onnx")
    plan = Plan(
        model=os.path.relpath(path, output.parent),
        march=target.name,
        inputs=feeds,
        level=facts.values("optimize_level")[-1],
        prefix=path.stem,
        remove=taken,
        run_on_bpu=asked.nodes,
        method=_method(wanted, facts),
        samples=tuple(wanted.samples),
    )
    said = (*_refused(placed), asked.said, *_notes(plan), *_lifted(feeds, lifted(model)))
    return plan, tuple(filter(None, said))


def _method(wanted: Wanted, facts: Tool) -> str:
    """The method of calibration: a search where the tool has one, nothing where there are no data."""
    if not wanted.samples:
        return "skip"
    return "default" if "default" in facts.values("calibration_type") else ""


def _feed(tensor: Tensor, wanted: Wanted, known: Lifted, parted: str) -> Feed:
    """How an input is fed; ``parted`` is what stands between channels."""
    name, shape = tensor.name, tuple(dim for dim in tensor.shape or () if isinstance(dim, int))
    form = wanted.forms.get(name, _picture(shape, known) if known.normalises else FEATUREMAP)
    given = wanted.means.get(name, ""), wanted.scales.get(name, "")
    if form == FEATUREMAP:
        return Feed(name, shape, mean=given[0], scale=given[1])
    trained = wanted.trained.get(name, _GRAY if form == _GRAY else "bgr" if known.swapped else "rgb")
    channels = 1 if trained == _GRAY else 3
    layout = "NHWC" if len(shape) == 4 and shape[1] != channels and shape[3] == channels else "NCHW"
    mean, scale = (one or _channels(own, parted) for one, own in zip(given, (known.mean, known.scale), strict=True))
    return Feed(name, shape, form, trained, layout, mean, scale)


def _picture(shape: Sequence[int], known: Lifted) -> str:
    """What an application feeds that fed the original pictures: 3 channels are taken for rgb."""
    return _GRAY if shape[1 if known.layout == "NCHW" else 3] == 1 else "rgb"


def _channels(values: Sequence[float], parted: str) -> str:
    """One number per channel, as short as float32 has it."""
    return parted.join(str(np.float32(value)) for value in values)


def _lifted(feeds: Sequence[Feed], known: Mapping[str, Lifted]) -> Iterator[str]:
    """What became of normalisation that was lifted out of the graph."""
    for feed in (feed for feed in feeds if feed.name in known):
        if feed.form == FEATUREMAP and known[feed.name] != _PLAIN:
            yield f"What was lifted from {feed.name!r} is left to the application: a feature map is fed as it is."
        elif feed.form != FEATUREMAP:
            yield f"What was lifted from {feed.name!r} is done by the tool: feed it pixels, 0 to 255."


def _refused(placed: Placement) -> Iterator[str]:
    if not placed.accepted:
        rules = ", ".join(refusal.rule for refusal in placed.refusals) or "an operator"
        yield f"The tool will refuse the model itself ({rules}): surgery run rewrites it first."


def _notes(plan: Plan) -> Iterator[str]:
    if not plan.samples:
        yield "Without calibration data thresholds are guessed (skip): placement and speed hold, numbers do not."
    if plan.remove:
        yield "The application has to do what is removed: surgery run --add strip-io-nodes writes down what."
