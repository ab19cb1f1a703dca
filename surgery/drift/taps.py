"""Two models compared value by value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from surgery.drift.inputs import InputSet
from surgery.drift.judge import judge
from surgery.drift.metrics import OutputDrift, Tally, compare
from surgery.drift.noise import one_ulp
from surgery.drift.runner import Runner, open_runner, tainted_values
from surgery.errors import InputError
from surgery.ir.graph import Value
from surgery.ir.session import Session, SessionError, open_session

if TYPE_CHECKING:
    from surgery.ir.model import Model

BATCH_BYTES = 256 << 20
"""Bytes of inner values that one session holds at a time."""
_UNKNOWN_BYTES = 4 << 20  # what a value of unknown size is taken for


@dataclass(frozen=True)
class FirstBad:
    """The first value, in the order of the reference, that moved by more than rounding.

    Attributes:
        name: of the value. node, op: of the node that computes it in the reference.
        reason: by how much.
        drift: its figures.
    """

    name: str
    node: str
    op: str
    reason: str
    drift: OutputDrift


@dataclass
class Drift:
    """Distance between two models: outputs, inner values of the same name, and where it begins.

    Attributes:
        samples: how many runs it rests on.
        outputs: in the order of the reference. taps: in the order of its nodes.
        first_bad: None when every value stays within rounding.
        notes: what could not be compared, a sentence each.
    """

    samples: int
    outputs: list[OutputDrift]
    taps: list[OutputDrift] = field(default_factory=list)
    first_bad: FirstBad | None = None
    notes: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The content of a ``surgery.diff/1`` document, without schema and models."""
        bad = self.first_bad
        return {
            "samples": self.samples,
            "outputs": [o.document() for o in self.outputs],
            "taps": [t.document() for t in self.taps],
            "first_bad": bad and {"name": bad.name, "node": bad.node, "op": bad.op, "reason": bad.reason},
        }


def diff(
    reference: Model,
    candidate: Model,
    inputs: InputSet,
    *,
    taps: bool = True,
    noise: bool = True,
    batch_bytes: int = BATCH_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> Drift:
    """Compare two models on the same inputs.

    Args:
        reference: what the other is measured against; its weights make the own noise.
        candidate: has to take the same inputs.
        inputs: samples that fit both.
        taps: compare inner values of equal name, too.
        noise: widen what counts as rounding by the reference's own noise, at the price of a third run.
        batch_bytes: of inner values held per session; memory is about three times that.
        progress: called with the number of batches done and to do.

    Raises:
        SessionError: one of them does not run on these inputs; InputError: they share no output.
    """
    runs = _Runs(reference, candidate, inputs, noise)
    outputs, own = runs.outputs()
    if not outputs:
        raise InputError("the models have no output in common")
    drift = Drift(len(inputs.samples), [t.drift() for t in outputs.values()], notes=runs.notes)
    batches = list(plan(runs.common(), batch_bytes)) if taps else []
    for done, batch in enumerate(batches):
        if progress:
            progress(done, len(batches))
        tallies, inner = runs.inner([v.name for v in batch])
        drift.taps.extend(t.drift() for t in tallies.values())
        drift.first_bad = drift.first_bad or _first_bad(reference, tallies, inner)
    drift.first_bad = drift.first_bad or _first_bad(reference, outputs, own)
    return drift


def plan(values: Sequence[Value], batch_bytes: int) -> Iterator[list[Value]]:
    """Cut ``values`` into runs that stay below ``batch_bytes`` together; a larger one goes alone."""
    batch: list[Value] = []
    size = 0
    for value in values:
        needed = _nbytes(value)
        if batch and size + needed > batch_bytes:
            yield batch
            batch, size = [], 0
        batch.append(value)
        size += needed
    if batch:
        yield batch


def _nbytes(value: Value) -> int:
    if value.shape is None or value.dtype is None or not value.is_static:
        return _UNKNOWN_BYTES
    return prod(d for d in value.shape if isinstance(d, int)) * value.dtype.itemsize


class _Runs:
    """The sessions of a comparison, opened per batch so that nothing is held longer."""

    def __init__(self, reference: Model, candidate: Model, inputs: InputSet, noise: bool) -> None:
        self.reference, self.candidate, self.inputs = reference, candidate, inputs
        self.perturb = one_ulp(reference, inputs.seed) if noise else None
        self.notes: list[str] = []
        self.missing: frozenset[str] = frozenset()

    def outputs(self) -> tuple[dict[str, Tally], dict[str, Tally]]:
        """Tallies of the outputs that both compute, and of their noise."""
        left, right = open_runner(self.reference), open_runner(self.candidate)
        self.missing = left.unsupported | right.unsupported
        if self.missing:
            self.notes.append(f"onnxruntime has no {', '.join(sorted(self.missing))}: compared without what needs it")
        noisy = self._noisy(lambda: open_runner(self.reference, perturb=self.perturb))
        tallies, own = self._compare(left, right, noisy)
        for name in [n for n, t in tallies.items() if t.problem == "only one of the models computes it"]:
            self.notes.append(f"{name} is an output of one of the models only")
            del tallies[name]
        return tallies, own

    def common(self) -> list[Value]:
        """Inner values that both models compute, in the reference's order."""
        lost = tainted_values(self.reference, self.missing)
        other_lost = tainted_values(self.candidate, self.missing)
        other = {v.name for n in self.candidate.graph.nodes for v in n.outputs if v not in other_lost}
        ends = {v.name for v in (*self.reference.graph.outputs, *self.candidate.graph.outputs)}
        values = (v for n in self.reference.graph.nodes for v in n.outputs if v not in lost and v.name)
        return [v for v in values if v.name in other and v.name not in ends]

    def inner(self, names: list[str]) -> tuple[dict[str, Tally], dict[str, Tally]]:
        """Tallies of the values ``names``, and of their noise."""
        left = open_session(self.reference, outputs=names)
        right = open_session(self.candidate, outputs=names)
        noisy = self._noisy(lambda: open_session(self.reference, outputs=names, perturb=self.perturb))
        return self._compare(left, right, noisy)

    def _noisy(self, make: Callable[[], Runner | Session]) -> Runner | Session | None:
        try:
            return make() if self.perturb else None
        except SessionError as error:
            self._without_noise(error)
            return None

    def _compare(
        self, left: Runner | Session, right: Runner | Session, noisy: Runner | Session | None
    ) -> tuple[dict[str, Tally], dict[str, Tally]]:
        tallies: dict[str, Tally] = {}
        own: dict[str, Tally] = {}
        for sample in self.inputs.samples:
            values = left.run(sample)
            compare([(values, right.run(sample))], tallies)
            if noisy is not None and (moved := self._try(noisy, sample)) is not None:
                compare([(values, moved)], own)
        return tallies, own

    def _try(self, noisy: Runner | Session, sample: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            return noisy.run(sample)
        except SessionError as error:
            self._without_noise(error)
            return None

    def _without_noise(self, error: SessionError) -> None:
        note = f"own noise not measured: {error.what}"
        self.notes.extend([] if note in self.notes else [note])


def _first_bad(reference: Model, tallies: Mapping[str, Tally], noise: Mapping[str, Tally]) -> FirstBad | None:
    verdict = judge("rounding", tallies, noise)
    if verdict.ok or verdict.output is None:
        return None
    name = verdict.output
    node = next((n for n in reference.graph.nodes for v in n.outputs if v.name == name.split("[")[0]), None)
    reason = verdict.reason.removeprefix("output ")
    return FirstBad(name, node.name if node else "", node.op if node else "", reason, tallies[name].drift())
