"""The graph of a module with its weights as inputs: exported once, it is good for every step of a training.

What the exporters otherwise do with weights (fuse them, fold them, merge equal ones) depends on their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import onnx

from surgery.errors import InputError
from surgery.training.example import Arguments, Example, arguments
from surgery.training.export import export, returned, ways
from surgery.training.exporters import Way, lacks_operator
from surgery.training.torches import need, need_module
from surgery.training.trees import distinct
from surgery.training.undisturbed import evaluating, quiet

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

Arrays: TypeAlias = "dict[str, np.ndarray[Any, Any]]"


@dataclass(frozen=True)
class Skeleton:
    """A graph whose inputs are the example's tensors and the weights.

    Attributes:
        proto: the serialised ModelProto.
        inputs: names of the example's tensors, outputs: of what is returned, weights: of those that are read, as the
            module's ``state_dict`` names them.
    """

    proto: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: tuple[str, ...]

    def filled(self, weights: Mapping[str, np.ndarray[Any, Any]]) -> onnx.ModelProto:
        """The model with these weights as its initializers."""
        proto = onnx.ModelProto.FromString(self.proto)
        taken = [value for value in proto.graph.input if value.name not in weights]
        del proto.graph.input[:]
        proto.graph.input.extend(taken)
        named = (onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
        proto.graph.initializer.extend(named)
        return proto


def skeleton(module: nn.Module, example: Example, opset: int | None = None) -> Skeleton:
    """The graph of ``module`` in eval mode, at the shapes of ``example``; the module is left as it was.

    Raises:
        InputError: as of :func:`surgery.training.export`, by the exporter of TorchScript.
    """
    checked = need_module(module)
    with quiet(), evaluating(checked):
        given = arguments(checked, example)
        state = state_of(checked)
        inputs = distinct(given.names, state)
        outputs = distinct(returned(checked, given), [*state, *inputs])
        names = ([*inputs, *state], outputs)
        proto = _proto(_stateless(checked, given, state), _with(given, state), ways(opset, "legacy"), names)
    if proto is None:
        export(module, example, opset=opset, exporter="legacy")  # says why, and which sub-module it is
        raise InputError("its weights cannot be inputs of the exported graph", where=type(module).__name__)
    read = {value.name for value in proto.graph.input}
    used = tuple(name for name in state if name in read)
    return Skeleton(proto.SerializeToString(), tuple(inputs), tuple(outputs), used)


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, each once, by their first name."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _with(given: Arguments, state: Mapping[str, Tensor]) -> Arguments:
    return Arguments((*given.leaves, *(tensor.detach() for tensor in state.values())), {}, (*given.names, *state))


def _stateless(module: nn.Module, given: Arguments, state: Mapping[str, Tensor]) -> nn.Module:
    """A module that is called with the tensors of ``given`` and of ``state``, and has no state itself."""
    names = {id(tensor): name for name, tensor in state.items()}
    dicts: list[dict[str, Any]] = [d for inner in module.modules() for d in (inner._parameters, inner._buffers)]
    slots = [(slot, key) for slot in dicts for key in slot]
    held = {(id(slot), key): slot[key] for slot, key in slots}

    def forward(*leaves: Tensor) -> object:
        first = len(leaves) - len(state)
        args, kwargs = given.with_leaves(iter(leaves[:first]))
        traced: dict[str, Any] = dict(zip(state, leaves[first:], strict=True))
        try:
            for slot, key in slots:
                slot[key] = None if slot[key] is None else traced[names[id(slot[key])]]
            return module(*args, **kwargs)
        finally:
            for slot, key in slots:
                slot[key] = held[id(slot), key]

    made: nn.Module = need("torch.nn").Module()
    vars(made)["forward"] = forward
    return made.eval()


def _proto(
    module: nn.Module, given: Arguments, asked: list[Way], names: tuple[list[str], list[str]]
) -> onnx.ModelProto | None:
    """The graph, exported the first way that has the operators; None where none does."""
    for way in asked:
        try:
            return way.proto(module, given, names)
        except Exception as error:  # noqa: BLE001  # torch raises what it likes
            if not lacks_operator(error):
                return None
    return None
