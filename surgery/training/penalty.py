"""Predicted latency as a penalty to train with: what channels cost, by how strong they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from surgery.errors import InputError, unknown
from surgery.training.prices import Price, Pricing
from surgery.training.strength import Handle, handles, mean_by_channel, strengths
from surgery.training.twin import twin_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from surgery.training.example import Example

NORMS = ("l1", "l2")


class LatencyPenalty:
    """``penalty(module)``: over all channels that can go, predicted microseconds times the strength of the channel.

    The strength of a channel is the size of its BatchNormalization scale, or where it has none the mean size of the
    weights of its filter; the mean over all layers that compute it. With gates it is that of the gate.

    Args:
        module: priced as it is now; make another penalty when channels have gone.
        example: what ``forward`` is called with; its shapes are those that channels are priced for.
        march: name, board or march file.
        norm: of a filter: ``l1`` for the mean size of its weights, ``l2`` for the root of their mean square.
        exporter: ``legacy`` or ``dynamo``.

    Attributes:
        prices: what a channel costs, by group.

    Raises:
        InputError: the module has no parameters, cannot be exported or has no channels that can go; the march has no
            cost coefficients.
    """

    prices: tuple[Price, ...]

    def __init__(
        self, module: nn.Module, example: Example, *, march: str, norm: str = "l2", exporter: str | None = None
    ) -> None:
        if norm not in NORMS:
            raise unknown("norm", norm, NORMS)
        twin = twin_of(module, example, exporter)
        pricing, self._norm = Pricing(twin, march), norm
        groups = [(group, found) for group in twin.channels.groups if (found := handles(twin, group))]
        if not groups:
            held = next(iter(twin.channels.held), None)
            why = "" if held is None else f": those of {held.weight!r} stay for {held.reason}"
            raise InputError(f"{type(module).__name__} has no channels that can go{why}")
        self.prices = tuple(pricing.price(group) for group, _ in groups)
        self._handles = [found for _, found in groups]

    def __call__(self, module: nn.Module, gates: Mapping[str, Tensor] | None = None) -> Tensor:
        """Microseconds, a scalar that gradients flow through.

        Args:
            module: the one that was priced, or one of the same parameters.
            gates: by path of a module that has a weight, a gate per output channel; the channels of other groups count
                by their parameters.

        Raises:
            InputError: parameters are missing or have other shapes, a gate is of no such module or of another length.
        """
        gates = gates or {}
        known = {handle.module for found in self._handles for handle in found}
        if odd := next((path for path in gates if path not in known), None):
            raise unknown("gate", odd, known)
        parts = [self._part(module, *each, gates) for each in zip(self.prices, self._handles, strict=True)]
        return sum(parts[1:], start=parts[0])

    def _part(self, module: nn.Module, price: Price, found: Sequence[Handle], gates: Mapping[str, Tensor]) -> Tensor:
        gated = [(handle, _gate(handle, gates[handle.module])) for handle in found if handle.module in gates]
        scales = [handle for handle in found if handle.is_scale]
        if not gated:
            measured = ((handle, _parameter(module, handle)) for handle in scales or found)
            gated = [(handle, strengths(handle, values, self._norm)) for handle, values in measured]
        return price.us * mean_by_channel(gated, price.channels).sum()


def _gate(handle: Handle, gate: Tensor) -> Tensor:
    if tuple(gate.shape) != (len(handle.places),):
        what = f"a gate per output channel has the shape [{len(handle.places)}], not {list(gate.shape)}"
        raise InputError(what, where=handle.module)
    return gate.abs()


def _parameter(module: nn.Module, handle: Handle) -> Tensor:
    try:
        found = module.get_parameter(handle.key)
    except AttributeError as error:
        raise InputError("the module has no such parameter", where=handle.key) from error
    if tuple(found.shape) != handle.shape:
        what = f"has the shape {list(found.shape)}, priced was {list(handle.shape)}"
        raise InputError(what, where=handle.key, hint="make a new LatencyPenalty when channels have gone")
    return found
