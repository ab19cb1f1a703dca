"""What the file says of the model, put to the model itself: inputs, shapes, and names of nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from surgery.toolchain.conversion.finding import Edit, Findings, Put
from surgery.toolchain.conversion.interface import Interface
from surgery.toolchain.conversion.rules.say import error, near, quoted, replaced, warning
from surgery.toolchain.conversion.rules.speed import slow, source
from surgery.toolchain.conversion.settings import Settings
from surgery.toolchain.conversion.values import joined, shape

NODE_KEYS = ("run_on_cpu", "run_on_bpu", "output_nodes")
"""``remove_node_name`` is not among them: what it names, the tools put in by themselves."""


def inputs(settings: Settings) -> Findings:
    """Names of inputs that the model does not have."""
    model = settings.interface
    for index, name in enumerate(settings.parts("input_name")) if model else ():
        if model is not None and name not in model.inputs:
            meant = near(name, model.inputs) or (next(iter(model.inputs)) if len(model.inputs) == 1 else "")
            edits: tuple[Edit, ...] = (replaced(settings, "input_name", index, meant),) if meant else ()
            text = f"the model has no input {quoted(name)}, it has {', '.join(map(quoted, model.inputs))}"
            yield error(
                settings,
                "model.input",
                settings.path("input_name"),
                text,
                fix="" if edits else "name them",
                edits=edits,
            )


def shapes(settings: Settings) -> Findings:
    """Shapes that the model's inputs cannot have, and sizes that nobody states."""
    model = settings.interface
    stated = settings.parts("input_shape")
    if model is None:
        return
    if not stated:
        yield from _unstated(settings, model)
    for index, text in enumerate(stated):
        found = shape(text)
        declared = model.inputs.get(settings.inputs[index] if index < len(settings.inputs) else "")
        if found is not None and declared and not _fits(found, declared):
            edits = tuple(_declared(settings, model, index))
            said = f"input {index}: {text}, the model has {_written(declared)}"
            yield warning(
                settings,
                "model.shape",
                settings.path("input_shape"),
                said,
                fix="" if edits else "state one that fits",
                edits=edits,
            )


def _unstated(settings: Settings, model: Interface) -> Findings:
    for name, declared in model.inputs.items():
        if declared and model.fixed(name) is None:
            text = f"input {quoted(name)} is {_written(declared)}: the sizes that are not fixed have to be stated"
            yield error(settings, "model.dynamic", settings.path("input_shape"), text, fix="add input_shape")
            return


def _fits(found: tuple[int, ...], declared: tuple[int | str | None, ...]) -> bool:
    return len(found) == len(declared) and all(
        not isinstance(dim, int) or dim == size for dim, size in zip(declared, found, strict=True)
    )


def _declared(settings: Settings, model: Interface, index: int) -> Iterator[Edit]:
    fixed = model.fixed(settings.inputs[index])
    if fixed is not None:
        yield replaced(settings, "input_shape", index, "x".join(map(str, fixed)))


def _written(declared: tuple[int | str | None, ...]) -> str:
    return "x".join("?" if dim is None else str(dim) for dim in declared)


def nodes(settings: Settings) -> Findings:
    """Names of nodes that the model does not have; the tools pass over them in silence."""
    model = settings.interface
    if model is None:
        return
    for key in NODE_KEYS:
        for index, name in enumerate(settings.parts(key)):
            if name not in model.nodes:
                yield from _unknown(settings, model, key, index, name)
    asked = settings.get("node_info")
    for name in asked if isinstance(asked, Mapping) else ():
        if str(name) not in model.nodes:
            yield warning(settings, "model.node", (*settings.path("node_info"), name), _said(name, model), fix=_FIX)


_FIX = "take the name from the model, or from *_optimized_float_model.onnx, where the tool renames what it fuses"


def _unknown(settings: Settings, model: Interface, key: str, index: int, name: str) -> Findings:
    path, meant = settings.path(key), near(name, model.nodes)
    if key == "output_nodes":
        text = f"the model has no node {quoted(name)}, where it is to be cut"
        yield error(settings, "model.output_node", path, text, fix=_FIX)
        return
    left = [one for one in settings.parts(key) if one != name]
    edits: tuple[Edit, ...] = (Put(path, joined([*left[:index], meant, *left[index:]])),) if meant else ()
    yield warning(settings, "model.node", path, _said(name, model), fix=_FIX if not edits else "", edits=edits)


def _said(name: object, model: Interface) -> str:
    meant = near(str(name), model.nodes)
    return (
        f"the model has no node {quoted(name)}{f', but {meant!r}' if meant else ''}: the tool passes over it in silence"
    )


def requests(settings: Settings) -> Findings:
    """Nodes that stay on the CPU though the BPU runs them where it is asked to."""
    model, placed = settings.interface, settings.get("node_info")
    asked = {*settings.parts("run_on_bpu"), *settings.parts("run_on_cpu")}
    asked |= {str(name) for name in placed} if isinstance(placed, Mapping) else set()
    left = [name for name in model.requests if name not in asked] if model is not None else []
    if model is not None and left:
        path = settings.path("run_on_bpu")
        text = f"{quoted(left[0])} ({model.nodes[left[0]]}) {_more(left)}on the CPU unless asked for: the BPU runs it"
        edits = (Put(path, joined([*settings.parts("run_on_bpu"), *left])),)
        yield slow(path, text, source(settings, "run_on_bpu"), "high", edits=edits)


def normalising(settings: Settings) -> Findings:
    """Pictures that are normalised by nodes of the graph."""
    found = settings.interface.normalising if settings.interface is not None else ()
    if found:
        path, fix = settings.path("mean_value"), "surgery run MODEL --add lift-normalisation --config-out CONF.yaml"
        text = f"the graph prepares a picture itself, by {', '.join(map(quoted, found))}: the tool does that from here"
        yield slow(path, text, source(settings, "mean_value"), "low", fix=fix)


def _more(names: list[str]) -> str:
    return "stays " if len(names) == 1 else f"and {len(names) - 1} more stay "


RULES = (inputs, shapes, nodes, requests, normalising)
