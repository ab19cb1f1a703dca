"""Taking channels out of the parameters of a module, with a way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from surgery.channels import Kept, Plan
from surgery.training.labels import named_tensors
from surgery.training.sizes import sizes
from surgery.training.torches import need

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


class Cutting:
    """One cut of a module.

    Parameters are replaced by new ones: PyTorch ties the gradient of a parameter to its shape for as long as a graph
    that was computed with it is alive.

    Args:
        module: cut in place.
        plan: of its parameters and buffers.
    """

    def __init__(self, module: nn.Module, plan: Plan) -> None:
        self.module = module
        self._undo: list[tuple[nn.Module, str, Any]] = []
        tensors = named_tensors(module)
        self._rows: Mapping[int, tuple[Tensor, Tensor, Kept]] = {
            id(old): (old, _replaced(old, kept), kept) for kept in plan.weights for old in (tensors[kept.name],)
        }

    def run(self) -> None:
        """Put thinned tensors in the place of the old ones, wherever these are, and have attributes follow."""
        for owner in self.module.modules():
            cut = {name: self._rows[id(tensor)] for name, tensor in _own(owner) if id(tensor) in self._rows}
            for name, (_, new, _) in cut.items():
                self._set(owner, name, new)
            kept = {name: row for name, (*_, row) in cut.items()}
            for name, value in sizes(owner, kept).items() if cut else ():
                self._set(owner, name, value)

    def undo(self) -> None:
        """Everything as it was."""
        while self._undo:
            setattr(*self._undo.pop())

    def carry(self, optimizers: Iterable[Optimizer]) -> None:
        """Put the new parameters in the place of the old ones, what an optimizer remembers of each thinned along."""
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["params"] = [self._rows[id(p)][1] if id(p) in self._rows else p for p in group["params"]]
            for old, new, kept in self._rows.values():
                if old in optimizer.state:
                    optimizer.state[new] = _remembered(optimizer.state.pop(old), kept)

    def _set(self, owner: nn.Module, name: str, value: Any) -> None:
        self._undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)


def _own(owner: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of a module itself, by every name."""
    yield from owner.named_parameters(recurse=False, remove_duplicate=False)
    yield from owner.named_buffers(recurse=False, remove_duplicate=False)


def _replaced(old: Tensor, kept: Kept) -> Tensor:
    data = _thinned(old.detach(), kept)
    parameter = need("torch.nn").Parameter
    found: Tensor = parameter(data, requires_grad=old.requires_grad) if isinstance(old, parameter) else data
    return found


def _thinned(data: Tensor, kept: Kept) -> Tensor:
    torch = need("torch")
    for axis, indices in kept.keep.items():
        data = data.index_select(axis, torch.tensor(indices, device=data.device))
    return data


def _remembered(state: Mapping[str, Any], kept: Kept) -> dict[str, Any]:
    """What has the shape of the parameter is thinned; nothing is kept where some of it has a shape of its own."""
    shapes = {name: tuple(getattr(value, "shape", ())) for name, value in state.items()}
    if any(shape not in ((), (1,), kept.shape) for shape in shapes.values()):
        return {}
    return {name: _thinned(v, kept) if shapes[name] == kept.shape else v for name, v in state.items()}
