"""What a channel costs on the chip: predicted microseconds by group of channels that go together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from surgery.channels import Cut, Group
from surgery.errors import InputError
from surgery.ir.edit import Editor
from surgery.pipeline.context import PassContext
from surgery.target import load_target
from surgery.training.twin import Twin


@dataclass(frozen=True)
class Price:
    """A group of channels of which each can go with all that belongs to it.

    Attributes:
        group: the parameter along whose output channels they lie.
        channels: how many there are.
        us: predicted microseconds that a channel costs: what it saves to take half of them out, by channel.
    """

    group: str
    channels: int
    us: float


class Pricing:
    """Prices by estimates of the whole graph with and without half of a group.

    Args:
        twin: the module's graph.
        march: name, board or march file.

    Raises:
        InputError: the march has no cost coefficients.
    """

    def __init__(self, twin: Twin, march: str) -> None:
        self.twin = twin
        self.context = PassContext(twin.model, load_target(march))
        if not self.context.is_priced:
            raise InputError("channels are priced by cost coefficients, of which the march has none", where=march)
        self._whole = self._us(())

    def price(self, group: Group) -> Price:
        """The price of a channel of ``group``."""
        half = group.units[: len(group.units) // 2].tolist()
        saved = self._whole - self._us(half)
        origin = self.twin.origins.get(group.name)
        name = group.name if origin is None else origin.key
        return Price(name, len(group.units), max(0.0, saved / len(half)))

    def _us(self, gone: Collection[int]) -> float:
        """Predicted latency without the units ``gone``, microseconds."""
        editor = Editor()
        try:
            Cut(self.twin.channels, gone, editor, self.twin.model.opset, str, sizes_only=True).run()
            state = self.context.state()
            return 0.0 if state is None or state.estimate is None else 1000 * state.estimate.latency_ms.mid
        finally:
            editor.rollback()
