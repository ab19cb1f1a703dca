"""Whether a module without some channels computes what its graph without them does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from surgery.drift.judge import NOISE_FACTOR, ROUNDING_BOUND
from surgery.drift.metrics import Tally
from surgery.errors import InputError
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.training.culprit import followed
from surgery.training.example import Example, arguments
from surgery.training.exporters import reason
from surgery.training.trees import tensors
from surgery.training.undisturbed import evaluating

if TYPE_CHECKING:
    from torch import nn

Outputs: TypeAlias = "list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]"

HINT = "numbers of channels that the code writes down have to follow: x.flatten(1), x.shape[1], x.chunk(2, dim=1)"


def computed(module: nn.Module, example: Example) -> Outputs:
    """The tensors that ``module`` returns in eval mode, in order.

    Raises:
        InputError: it cannot be run, with the path of the sub-module where it stops.
    """
    with evaluating(module), followed(module) as running:
        given = arguments(module, example)
        try:
            returned = module(*given.args, **given.kwargs)
        except Exception as error:
            path = running[-1] if running else ""
            where = f"{path or 'module'} ({type(module.get_submodule(path)).__name__})"
            what = f"forward raises {type(error).__name__} without these channels: {reason(error)}"
            raise InputError(what, where=where, hint=HINT) from error
    return [tensor.cpu().numpy() for _, tensor in tensors(returned, "")]


def expected(model: Model, module: nn.Module, example: Example) -> Outputs:
    """The outputs of the module's graph ``model``, in order."""
    given = arguments(module, example)
    taken = {tensor.name for tensor in model.graph.inputs}
    leaves = zip(given.names, given.leaves, strict=True)
    found = open_session(model).run({name: leaf.cpu().numpy() for name, leaf in leaves if name in taken})
    return [found[tensor.name] for tensor in model.graph.outputs]


def need_same(found: Outputs, wanted: Outputs, noise: float) -> None:
    """Refuse outputs of another shape, or farther from those wanted than rounding takes them.

    Args:
        noise: how far they were apart before.
    """
    for index, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if one.shape != other.shape:
            what = f"output {index} has the shape {list(one.shape)} without these channels, not {list(other.shape)}"
            raise InputError(what, hint=HINT)
    apart = distance(found, wanted)
    if apart > max(ROUNDING_BOUND, NOISE_FACTOR * noise):
        what = f"the module does not compute what its graph does without these channels: {apart:.3g} of the range apart"
        raise InputError(what, hint=HINT)


def distance(found: Outputs, wanted: Outputs) -> float:
    """The largest difference of any channel over its range; outputs that are no floats do not count."""
    worst = 0.0
    for one, other in zip(found, wanted, strict=True):
        tally = Tally("")
        if one.dtype.kind == "f" and one.shape == other.shape:
            tally.add(other, one)
            worst = max(worst, tally.drift().worst_rel)
    return worst
