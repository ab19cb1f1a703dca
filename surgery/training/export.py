"""From a PyTorch module to a model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from surgery.errors import InputError, unknown
from surgery.ir import Model
from surgery.training.culprit import Call, culprit, followed
from surgery.training.example import Arguments, Example, arguments
from surgery.training.exporters import EXPORTERS, Way, lacks_operator, reason
from surgery.training.torches import need, need_module
from surgery.training.trees import distinct, tensors
from surgery.training.undisturbed import evaluating, quiet

if TYPE_CHECKING:
    import onnx
    from torch import nn

PREFERRED = (11, 17)
"""The opsets tried where none is asked for: the newest that X3 and X5 take, and for modules with operators that it
lacks (attention, layer normalisation) one that has them; ``lower-opset`` rewrites what it can of these.
"""


def export(
    module: nn.Module,
    example: Example,
    *,
    opset: int | None = None,
    exporter: str | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    locations: bool = False,
    folding: bool = True,
) -> Model:
    """The model that ``module`` computes in eval mode, at the shapes of ``example``.

    The module is left as it was: training flags, buffers, gradients, hooks and random numbers. Initializers that the
    exporter did not fold have the names of the module's ``state_dict``.

    Args:
        module: of any device; no TorchScript.
        example: a tensor, a tuple of arguments of ``forward``, or arguments by name; tensors may be nested in them.
        opset: of the model; by default the first of :data:`PREFERRED` that has the operators, 18 for ``dynamo``.
        exporter: ``legacy`` or ``dynamo``, by default ``legacy`` for opsets below 18.
        input_names: of the tensors of the example, in order of ``forward``'s parameters; by default those of the
            parameters (``x``; ``x_0`` and so on within one).
        output_names: of the tensors that are returned; by default ``output``, ``output_0`` and so on, or their keys.
        locations: keep at each node the lines of code that it came from.
        folding: let the exporter compute constants and fold normalisation; else every parameter is an initializer.

    Raises:
        InputError: torch is not installed, something given cannot be used, or the module cannot be exported: the
            exporter's reason, and the path of the sub-module where it fails.
    """
    checked, asked = need_module(module), ways(opset, exporter, locations=locations, folding=folding)
    with quiet() as said, evaluating(checked):
        given = arguments(checked, example)
        inputs = _named(input_names, given.names, "input")
        outputs = _named(output_names, distinct(returned(checked, given), inputs), "output")
        model = Model.load(_proto(checked, given, asked, (inputs, outputs)))
    model.normalised[:0] = _assumed(said)
    return model


def _assumed(said: Sequence[warnings.WarningMessage]) -> list[str]:
    """What tracing took for constant though it depends on the values that the example has."""
    kind = need("torch.jit").TracerWarning
    told = (each for each in said if issubclass(each.category, kind))
    texts = (f"traced at {each.filename}:{each.lineno}: {str(each.message).partition('. ')[0]}" for each in told)
    return list(dict.fromkeys(texts))


def ways(opset: int | None, exporter: str | None, *, locations: bool = False, folding: bool = True) -> list[Way]:
    """The ways to export, to be tried in order."""
    if exporter is not None and exporter not in EXPORTERS:
        raise unknown("exporter", exporter, EXPORTERS)
    if opset is None:
        opsets = (EXPORTERS["dynamo"][0],) if exporter == "dynamo" else PREFERRED
        return [Way(exporter or "legacy", each, locations, folding) for each in opsets]
    able = [name for name, opsets in EXPORTERS.items() if opset in opsets and exporter in {None, name}]
    if not able:
        asked = {name: opsets for name, opsets in EXPORTERS.items() if exporter in {None, name}}
        written = " and ".join(f"{name} writes {each[0]} to {each[-1]}" for name, each in asked.items())
        raise InputError(f"opset {opset} cannot be exported", where="opset", hint=f"exporter {written}")
    return [Way(able[-1], opset, locations, folding)]


def _named(given: Sequence[str] | None, made: Sequence[str], kind: str) -> list[str]:
    names = list(made if given is None else given)
    if len(names) != len(made) or len(set(names)) != len(names):
        found = f"{len(names)} {kind} names, {len(set(names))} of them different"
        raise InputError(f"{found}, for {len(made)} {kind}s ({', '.join(made)})", where=f"{kind}_names")
    return names


def returned(module: nn.Module, given: Arguments) -> list[str]:
    """The names of the tensors that ``forward`` returns."""
    with followed(module) as running:
        try:
            returned = module(*given.args, **given.kwargs)
        except Exception as error:
            what = f"forward raises {type(error).__name__} on the example: {reason(error)}"
            raise InputError(what, where=_place(module, running[-1] if running else "")) from error
    names = [name for name, _ in tensors(returned, "" if isinstance(returned, Mapping) else "output")]
    if not names:
        raise InputError(f"forward returns a {type(returned).__name__} without a tensor", where=_place(module, ""))
    return names


def _proto(module: nn.Module, given: Arguments, asked: list[Way], names: tuple[list[str], ...]) -> onnx.ModelProto:
    """The model, exported the first way that has the operators."""
    way, *others = asked
    with followed(module) as running:
        try:
            return way.proto(module, given, names)
        except Exception as error:  # torch raises what it likes; all of it says why
            if not (others and lacks_operator(error)):
                path = running[-1] if running else _culprit(module, given, way)
                raise _refusal(module, path, way, error) from error
    return _proto(module, given, others, names)


def _refusal(module: nn.Module, path: str, way: Way, error: Exception) -> InputError:
    what = f"{type(module).__name__} cannot be exported ({way.exporter}, opset {way.opset}): {reason(error)}"
    other = next(name for name in EXPORTERS if name != way.exporter)
    hint = f"the other exporter may do it: surgery.training.export(module, example, exporter={other!r})"
    return InputError(what, where=_place(module, path), hint=hint)


def _culprit(module: nn.Module, given: Arguments, way: Way) -> str:
    return culprit(module, (given.args, given.kwargs), lambda inner, call: _fails(inner, call, way))


def _fails(module: nn.Module, call: Call, way: Way) -> bool:
    """Whether ``module`` by itself cannot be exported with what it was called with."""
    args, kwargs = call
    names = [f"input_{name}" for name, _ in tensors([*args, *kwargs.values()], "of")]
    try:
        way.proto(module, Arguments(args, kwargs, tuple(names)), (names, []))
    except Exception:  # noqa: BLE001  # as above
        return bool(names)
    return False


def _place(module: nn.Module, path: str) -> str:
    return f"{path or 'module'} ({type(module.get_submodule(path)).__name__})"
