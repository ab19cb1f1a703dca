"""The two exporters of PyTorch: what each is asked, and what it says when it cannot."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx

from surgery.errors import InputError
from surgery.training.example import Arguments
from surgery.training.torches import need
from surgery.training.trees import tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

EXPORTERS: Mapping[str, range] = {"legacy": range(9, 21), "dynamo": range(18, 24)}
"""The opsets that each exporter of torch 2.13 writes: TorchScript's (``dynamo=False``), and ``torch.export``'s."""

LOCATION = "pkg.torch.onnx.stack_trace"
"""The metadata in which the exporter of ``torch.export`` keeps a node's lines of code; the other has ``doc_string``."""

LONGEST = 300
"""Characters of an exporter's reason that are shown."""


@dataclass(frozen=True)
class Way:
    """How a module is exported.

    Attributes:
        exporter: ``legacy`` or ``dynamo``.
        opset: of the model.
        locations: keep at each node which lines of which files it came from.
        folding: let it compute constants and fold normalisation into weights.
    """

    exporter: str
    opset: int
    locations: bool = False
    folding: bool = True

    def proto(self, module: nn.Module, given: Arguments, names: Sequence[Sequence[str]]) -> onnx.ModelProto:
        """The model of ``module``, called with ``given``; ``names`` are those of its inputs and of its outputs.

        Raises:
            Exception: whatever torch raises where it cannot export; InputError when it wrote another opset.
        """
        inputs, outputs = map(list, names)
        options: dict[str, Any] = {"input_names": inputs, "output_names": outputs, "opset_version": self.opset}
        with _flat(module, given):
            proto = getattr(self, f"_{self.exporter}")(module, given.leaves, options)
        found = next(each.version for each in proto.opset_import if not each.domain)
        if found != self.opset:
            raise InputError(f"the exporter wrote opset {found}, it could not convert that to {self.opset}")
        return proto if self.locations else without_locations(proto)

    def _legacy(self, module: nn.Module, leaves: tuple[Tensor, ...], options: dict[str, Any]) -> onnx.ModelProto:
        file, onnx_ = io.BytesIO(), need("torch.onnx")
        if not self.folding:
            options |= {"training": onnx_.TrainingMode.PRESERVE, "do_constant_folding": False}
        onnx_.export(module, leaves, file, dynamo=False, verbose=self.locations, **options)
        return onnx.ModelProto.FromString(file.getvalue())

    def _dynamo(self, module: nn.Module, leaves: tuple[Tensor, ...], options: dict[str, Any]) -> onnx.ModelProto:
        need("onnxscript")
        program = need("torch.onnx").export(
            module, leaves, dynamo=True, verbose=False, optimize=self.folding, **options
        )
        proto: onnx.ModelProto = program.model_proto
        return proto


@contextmanager
def _flat(module: nn.Module, given: Arguments) -> Iterator[None]:
    """Tensors go into ``module`` and come out of it, whatever it takes and returns; its scopes are those it had."""
    own = vars(module).get("forward")
    forward = module.forward

    def flat(*leaves: Tensor) -> tuple[Tensor, ...]:
        args, kwargs = given.with_leaves(iter(leaves))
        return tuple(tensor for _, tensor in tensors(forward(*args, **kwargs), ""))

    vars(module)["forward"] = flat
    try:
        yield
    finally:
        del vars(module)["forward"]
        vars(module).update({} if own is None else {"forward": own})


def without_locations(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Paths of the machine that it was exported on do not belong into a model."""
    for node in (*proto.graph.node, *(node for function in proto.functions for node in function.node)):
        kept = [each for each in node.metadata_props if each.key != LOCATION]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    return proto


def lacks_operator(error: Exception) -> bool:
    """Whether the exporter only lacks an operator at this opset."""
    lacking: type[Exception] = need("torch.onnx.errors").UnsupportedOperatorError
    return isinstance(error, lacking)


def reason(error: BaseException) -> str:
    """The first line of what an exception was caused by, in printable characters, without torch's dump of values."""
    while error.__cause__ is not None:
        error = error.__cause__
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    said = line.partition("[Caused by the value")[0]
    return "".join(c if c.isprintable() else " " for c in said).strip()[:LONGEST]
