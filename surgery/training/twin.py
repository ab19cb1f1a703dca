"""A module as a graph in which every parameter is known by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from surgery.channels import Channels, analyse
from surgery.errors import InputError
from surgery.ir import Constant, Model, Weight
from surgery.pipeline.view import folded
from surgery.training.export import export
from surgery.training.labels import Labels, Origin, first_names, labelled, named_tensors
from surgery.training.torches import need_module

if TYPE_CHECKING:
    from torch import nn

    from surgery.training.example import Example

DTYPES = frozenset({"torch.float16", "torch.float32", "torch.float64"})
OPSET = 17
"""The first that has normalisation over the last axes as one operator, whose channels can be followed."""


@dataclass(frozen=True)
class Twin:
    """What a module computes in eval mode, as a graph with its weights.

    Attributes:
        model: with constants folded, but no normalisation.
        origins: by name of a constant the parameter or buffer that it holds.
        shapes: of the parameters and buffers.
        keys: by any of the names of a parameter or buffer the one that it goes by here.
    """

    model: Model
    origins: Mapping[str, Origin]
    shapes: Mapping[str, tuple[int, ...]]
    keys: Mapping[str, str]

    @cached_property
    def channels(self) -> Channels:
        """Which channels go together."""
        return analyse(self.model.graph, self.model.opset)


def twin_of(module: nn.Module, example: Example, exporter: str | None = None) -> Twin:
    """The twin of ``module`` at the shapes of ``example``, by the exporter named (``legacy`` or ``dynamo``).

    Exported with labels in the place of its parameters, so that equal ones are not taken for one and each is known
    again in what was made of it.

    Raises:
        InputError: the module has no parameters or some of a type that numpy lacks, or cannot be exported.
    """
    tensors = named_tensors(need_module(module))
    if not tensors:
        raise InputError(f"{type(module).__name__} has no parameters")
    if odd := next((name for name, tensor in tensors.items() if str(tensor.dtype) not in DTYPES), None):
        what = f"is of {tensors[odd].dtype}, which numpy does not have"
        raise InputError(what, where=odd, hint="give the module in float32: module.float()")
    opset = None if exporter == "dynamo" else OPSET
    with labelled(module) as labels:
        marked = export(module, example, opset=opset, exporter=exporter, folding=False)
    model = marked.copy()
    origins = _origins(marked, labels)
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    for constant in constants(model):
        if constant.name in origins:
            origin = origins[constant.name]
            constant.weight = Weight.of(np.ascontiguousarray(origin.laid_out(arrays[origin.key])))
    shapes = {name: array.shape for name, array in arrays.items()}
    return Twin(folded(model), _origins(folded(marked), labels), shapes, first_names(module))


def constants(model: Model) -> Iterator[Constant]:
    """What nodes read that is constant, each once."""
    every = {id(t): t for node in model.nodes() for t in node.inputs if isinstance(t, Constant)}
    yield from every.values()


def _origins(marked: Model, labels: Labels) -> dict[str, Origin]:
    found = {constant.name: labels.origin(constant.values) for constant in constants(marked)}
    return {name: origin for name, origin in found.items() if origin is not None}
