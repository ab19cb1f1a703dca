"""What runs of one model have in common: how it was opened, and what became of it by passes they all begin with."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from surgery.pipeline.pipeline import Step

if TYPE_CHECKING:
    from surgery.drift.drops import Drops
    from surgery.drift.inputs import InputSet
    from surgery.drift.verifier import Verifier
    from surgery.ir import Model
    from surgery.pipeline.iomap import IoMap
    from surgery.pipeline.manager import Manager
    from surgery.pipeline.result import PassResult
    from surgery.pipeline.state import State

Key: TypeAlias = "tuple[str, ...]"
LIMIT = 512 << 20
"""Bytes of weights and outputs that snapshots may hold beside those of the original."""


@dataclass(frozen=True)
class Opened:
    """What is there before the first pass; ``verifier`` has run the original and accepted no step."""

    original: Model
    inputs: InputSet | None
    reasons: tuple[str, ...]
    drops: Drops
    verifier: Verifier | None


@dataclass(frozen=True)
class Snapshot:
    """A run between two passes; model and verifier are copied by whoever goes on from it.

    Attributes:
        before: the original as the march sees it, once that is known.
    """

    model: Model
    io: IoMap | None
    verifier: Verifier | None
    results: tuple[PassResult, ...]
    before: State | None

    def resume(self, manager: Manager) -> None:
        """Bring a manager that has done nothing to this point."""
        manager.model, manager.io, manager.results = self.model.copy(), self.io, list(self.results)
        manager.verifier = copy(self.verifier)


@dataclass
class Prefixes:
    """Snapshots of runs that differ in their passes alone: same model, march, inputs and options.

    A pass whose rewrites were finished by rules of later passes depends on these; nothing is kept from there on. The
    snapshots that were not used for longest go first.
    """

    limit: int = LIMIT
    _opened: dict[str, Opened] = field(default_factory=dict)
    _kept: OrderedDict[Key, tuple[Snapshot, int]] = field(default_factory=OrderedDict)

    def opened(self, start: str, make: Callable[[], Opened]) -> Opened:
        """What is there before the first pass, for runs that ``start`` with the same sizes and budget."""
        if start not in self._opened:
            self._opened[start] = make()
        return self._opened[start]

    def longest(self, start: str, steps: Sequence[Step]) -> Snapshot | None:
        """The run after as many of ``steps`` as one has begun with before."""
        key = _key(start, steps)
        for end in range(len(key), 1, -1):
            if key[:end] in self._kept:
                self._kept.move_to_end(key[:end])
                return self._kept[key[:end]][0]
        return None

    def keep(self, start: str, steps: Sequence[Step], manager: Manager, original: Model, before: State | None) -> None:
        """Keep where ``manager`` is, which has done ``steps`` to a copy of ``original``."""
        key = _key(start, steps)
        if manager.looked_ahead or key in self._kept:
            return
        snapshot = Snapshot(manager.model.copy(), manager.io, copy(manager.verifier), tuple(manager.results), before)
        self._kept[key] = (snapshot, _size(snapshot, original))
        while sum(size for _, size in self._kept.values()) > self.limit:
            self._kept.popitem(last=False)


def _key(start: str, steps: Sequence[Step]) -> Key:
    return (start, *map(repr, steps))


def _size(snapshot: Snapshot, original: Model) -> int:
    """Bytes of the weights that are not the original's, and of the outputs that the next step is compared with."""
    own = {id(constant.weight) for constant in original.heavy().values()}
    made = [constant.weight for constant in snapshot.model.heavy().values()]
    outputs = snapshot.verifier.held if snapshot.verifier else 0
    return outputs + sum(weight.nbytes for weight in made if id(weight) not in own)
