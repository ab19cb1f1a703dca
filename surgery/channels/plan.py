"""``surgery.plan/1``: which indices of every weight stay, along which axis, for whoever holds the weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from surgery.channels.analysis import Channels, analyse
from surgery.channels.cut import Cut, thinned
from surgery.channels.ties import Block
from surgery.errors import InputError, unknown
from surgery.ir import Constant, Model, Node
from surgery.ir.edit import Editor
from surgery.ir.normalise import Names

Arrays = Mapping[str, "np.ndarray[Any, Any]"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)


class Kept(_Part):
    """What stays of one weight.

    Attributes:
        name: of the initializer.
        node: that reads it, where several nodes read a vector that they share and keep different parts of it; else "".
        shape: before.
        keep: by axis the indices that stay, ascending; axes that stay whole are left out.
    """

    name: str
    node: str = ""
    shape: tuple[int, ...]
    keep: dict[int, tuple[int, ...]]

    @model_validator(mode="after")
    def _indices_are_of_the_shape(self) -> Self:
        for axis, indices in self.keep.items():
            if axis not in range(len(self.shape)):
                raise ValueError(f"{self.name} has no axis {axis}")
            if list(indices) != sorted(set(indices) & set(range(self.shape[axis]))) or not indices:
                raise ValueError(f"{self.name}, axis {axis}: indices ascend, at least one, within {self.shape[axis]}")
        return self

    @property
    def key(self) -> str:
        """The name, with the node behind it where that is needed to tell two uses apart."""
        return f"{self.name}@{self.node}" if self.node else self.name

    @property
    def thin_shape(self) -> tuple[int, ...]:
        """The shape afterwards."""
        return tuple(len(self.keep.get(axis, range(size))) for axis, size in enumerate(self.shape))

    def apply(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """What stays of ``array``; raises InputError when it has another shape."""
        if array.shape != self.shape:
            raise InputError(f"has the shape {list(array.shape)}, the plan is of {list(self.shape)}", where=self.name)
        return thinned(array, {axis: np.array(indices) for axis, indices in self.keep.items()})


_SCHEMA: Any = Field("surgery.plan/1", serialization_alias="schema", validation_alias=AliasChoices("schema", "kind"))


class Plan(_Part):
    """Which channels of a model stay; ``weights`` are those of which something goes."""

    kind: Literal["surgery.plan/1"] = _SCHEMA
    weights: tuple[Kept, ...]

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Self:
        """The plan in a file; raises InputError where there is none."""
        try:
            return cls.model_validate_json(Path(path).read_bytes())
        except (OSError, ValidationError) as error:
            first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error.strerror)
            raise InputError(f"no plan of channels: {first}", where=str(path)) from error

    def to_json(self) -> str:
        """The document, a weight a line."""
        rows = ",\n  ".join(json.dumps(kept.model_dump(mode="json")) for kept in self.weights)
        return f'{{"schema": "{self.kind}", "weights": [\n  {rows}\n]}}\n'

    def apply(self, weights: Arrays) -> dict[str, np.ndarray[Any, Any]]:
        """``weights`` by name (of initializers, or of a training framework's parameters of the same names), thinned.

        Those that the plan does not name stay. A vector of which several nodes keep different parts comes out once for
        each, as ``name@node``.

        Raises:
            InputError: the plan names a weight that is not there, or one has another shape.
        """
        if missing := next((kept.name for kept in self.weights if kept.name not in weights), None):
            raise unknown("weight", missing, weights, where="plan")
        rest = {name: array for name, array in weights.items() if name not in {kept.name for kept in self.weights}}
        return {**rest, **{kept.key: kept.apply(weights[kept.name]) for kept in self.weights}}

    def apply_to(self, model: Model) -> Model:
        """A copy of ``model`` without the channels, each weight under its old name.

        Raises:
            InputError: the model has no such weights, or would have to lose others with them.
        """
        thin = model.copy()
        channels = analyse(thin.graph, thin.opset, open_ends=True)
        gone = _units(channels, self.weights)
        whole = plan_of(channels, gone)
        if set(whole._rows()) != set(self._rows()):
            odd = next(iter(set(whole._rows()) ^ set(self._rows())))[0]
            where = str(model.path or "model")
            raise InputError(f"what goes of {odd!r} does not fit the rest of the plan", where=where)
        take_out(thin, channels, gone)
        return thin

    def _rows(self) -> list[tuple[str, str, str]]:
        """The entries in a form that can be compared in any order."""
        return [(kept.name, kept.node, str(sorted(kept.keep.items()))) for kept in self.weights]


@dataclass(frozen=True)
class Thinned:
    """What stays of the weight of one layer, for a model in which the weight may have another name."""

    node: str
    shape: tuple[int, ...]
    keep: Mapping[int, tuple[int, ...]]


def plan_of(channels: Channels, gone: Iterable[int]) -> Plan:
    """The plan that takes the units ``gone`` out."""
    lost, rows = np.fromiter(gone, np.int64), dict[tuple[str, str], Kept]()
    for block, units in channels.blocks():
        stays = ~np.isin(units, lost)
        if isinstance(block.tensor, Constant) and not stays.all():
            kept = Kept(name=block.tensor.name, node=_told_apart(block), shape=block.tensor.shape, keep={})
            known = rows.get((kept.name, kept.node), kept)
            keep = {**known.keep, block.axis: tuple(np.flatnonzero(stays).tolist())}
            rows[kept.name, kept.node] = kept.model_copy(update={"keep": dict(sorted(keep.items()))})
    return Plan(weights=tuple(rows.values()))


def thinned_layers(channels: Channels, gone: Iterable[int]) -> tuple[Thinned, ...]:
    """What stays of the weights of layers when ``gone`` goes."""
    lost = np.fromiter(gone, np.int64)
    return tuple(Thinned(n.name, w.shape, keep) for n, w in channels.layers if (keep := _keep(channels, n, w, lost)))


def plan_for(model: Model, layers: Sequence[Thinned]) -> Plan:
    """The plan for ``model`` that does to its layers what was done to those of the same names in a rewritten model.

    Raises:
        InputError: a layer is not there, or other channels would go with those.
    """
    channels = analyse(model.graph, model.opset)
    found = {node.name: (node, weight) for node, weight in channels.layers}
    gone: set[int] = set()
    for layer in layers:
        node, weight = found.get(layer.node, (None, None))
        if node is None or weight is None or weight.shape != layer.shape:
            raise InputError(f"the model as given has no layer {layer.node!r} with a weight {list(layer.shape)}")
        gone |= _of_layer(channels, node, weight, layer.keep)
    lost = np.fromiter(gone, np.int64)
    now = {node.name: keep for node, weight in channels.layers if (keep := _keep(channels, node, weight, lost))}
    if now != {layer.node: dict(layer.keep) for layer in layers}:
        raise InputError("in the model as given other channels would go with those that went")
    return plan_of(channels, gone)


def take_out(model: Model, channels: Channels, gone: Iterable[int]) -> None:
    """Take units out of ``model`` in place; weights and values keep their names."""
    editor, names = Editor(), _namer(channels)
    Cut(channels, frozenset(gone), editor, model.opset, names).run()
    editor.settle()
    model.infer()
    model.check()


def _namer(channels: Channels) -> Callable[[str], str]:
    """Old names for what replaces their only bearer, new ones for what is beside it."""
    shared = {b.tensor.name for b, _ in channels.blocks() if b.reader is not None and len(b.tensor.consumers) > 1}
    fresh = Names({t.name for node in channels.graph.nodes for t in (*node.inputs, *node.outputs)})
    known = {b.tensor.name for b, _ in channels.blocks()} - shared
    return lambda name: name if name in known else fresh(name)


def _keep(channels: Channels, node: Node, weight: Constant, lost: np.ndarray[Any, Any]) -> dict[int, tuple[int, ...]]:
    keep: dict[int, tuple[int, ...]] = {}
    for axis in range(weight.rank):
        units = channels.units(weight, axis, node)
        if units is not None and (stays := ~np.isin(units, lost)).size and not stays.all():
            keep[axis] = tuple(np.flatnonzero(stays).tolist())
    return keep


def _of_layer(channels: Channels, node: Node, weight: Constant, keep: Mapping[int, Sequence[int]]) -> set[int]:
    found: set[int] = set()
    for axis, indices in keep.items():
        units = channels.units(weight, axis, node)
        if units is not None:
            found.update(np.delete(units, np.array(indices, np.int64)).tolist())
    return found


def _units(channels: Channels, weights: Iterable[Kept]) -> set[int]:
    """The units of what goes of ``weights``."""
    blocks: dict[tuple[str, int], list[Block]] = {}
    for block, _ in channels.blocks():
        blocks.setdefault((block.tensor.name, block.axis), []).append(block)
    return {unit for kept in weights for unit in _of_weight(channels, kept, blocks)}


def _of_weight(channels: Channels, kept: Kept, blocks: Mapping[tuple[str, int], Sequence[Block]]) -> Iterator[int]:
    for axis, indices in kept.keep.items():
        mine = [b for b in blocks.get((kept.name, axis), ()) if kept.node in ("", _told_apart(b))]
        if not mine or mine[0].tensor.shape != kept.shape:
            raise InputError(f"the model has no weight {kept.name!r} {list(kept.shape)}", where="plan")
        for block in mine:
            units = channels.label(block)
            yield from np.delete(units, np.array(indices, np.int64)).tolist()


def _told_apart(block: Block) -> str:
    return block.reader.name if block.reader is not None and len(block.tensor.consumers) > 1 else ""
