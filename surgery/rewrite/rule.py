"""What a local rewrite is: which shape, under which condition, what instead.

To add one, subclass :class:`Rule`, answer the three questions in ``roots``, ``match`` and ``rewrite``, and return it
from the ``rules`` of a pass. Facts found while matching travel in a frozen dataclass, never on the rule object::

    @dataclass(frozen=True)
    class Doubled:
        node: Node
        value: Tensor

    class FoldDoubleNeg(Rule[Doubled]):
        \"\"\"``Neg(Neg(x)) -> x``; exact, since only a sign bit is flipped twice.\"\"\"

        name, roots = "fold-double-neg", frozenset({"Neg"})
        purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

        def match(self, node, ctx):
            inner = need.producer(node, 0, "Neg")
            return Doubled(node, inner.inputs[0])

        def rewrite(self, match, rw):
            rw.replace(match.node, match.value)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from surgery.ir import Graph, Node, Tensor

if TYPE_CHECKING:
    from surgery.rewrite.rewriter import Rewriter

M = TypeVar("M")


class Purpose(StrEnum):
    """Why a rule exists, which decides when its matches are kept."""

    NORMALISE = "normalise"
    """Always kept: brings graphs into fewer forms."""
    LEGALISE = "legalise"
    """Kept for nodes in violation of a limit, when what comes out is legal."""
    ACCELERATE = "accelerate"
    """Kept when the predicted time falls."""
    INTERFACE = "interface"
    """Changes inputs or outputs; runs only when asked for, and returns an IoMap."""


class Exactness(StrEnum):
    """What a rule promises about numbers, strongest first."""

    EXACT = "exact"
    """No arithmetic kernel call changes: outputs are bit-identical."""
    ROUNDING = "rounding"
    """The same real function, computed in another order."""
    APPROXIMATE = "approximate"
    """Another function; only within a budget."""


class Mismatch(Exception):
    """Why a rule does not apply: one sentence that names what was found and says what must hold.

    ``match`` returns it; helpers (:mod:`surgery.rewrite.need`) raise it. ``absent`` says that what the rule is about is
    not there at all, which is told in a trace and not counted as a refusal.
    """

    def __init__(self, reason: str, at: Node | Tensor | None = None, *, absent: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.at, self.absent = reason, at, absent


class Limit(Protocol):
    """What a rule sees of a violated limit."""

    @property
    def constraint(self) -> str:
        """Its id, such as ``Conv.kernel_h``."""


class Context(Protocol):
    """What a rule may ask about the world around the node it looks at."""

    @property
    def main(self) -> Graph:
        """The main graph."""

    @property
    def opset(self) -> int:
        """Version of the default domain."""

    @property
    def target(self) -> Any:
        """The march, or None when the pipeline runs without one."""

    def violations(self, node: Node) -> Sequence[Limit]:
        """The limits of the march that ``node`` violates."""

    def device(self, node: Node) -> str:
        """``bpu``, ``cpu``, ``folded``, ``refused`` or ``unknown``; ``unknown`` without a march."""

    def is_output(self, tensor: Tensor) -> bool:
        """Whether a graph or body returns ``tensor``, so that it is read though no node reads it."""


class Rule(ABC, Generic[M]):
    """One local rewrite.

    Attributes:
        name: unique within its pass, in kebab-case.
        roots: operator types that ``match`` is asked about.
        custom: whether it is asked about operators outside of the ONNX domain, too.
        purpose: when a match is kept.
        exactness: what is promised about numbers.
        cures: ids of the limits it can satisfy; a LEGALISE rule is tried on nodes that violate one of them.
            ``Conv.stride`` stands for ``Conv.stride.2`` too, and ``Conv.*`` for all limits of its operator.
        leaves: operators that a LEGALISE rule may leave on the CPU: what it made is then judged by time alone.
        saves: share of the time of its own nodes that an ACCELERATE rule has to save, whatever that is of the model:
            more than the estimate may be wrong by where it compares two operators.
    """

    name: ClassVar[str]
    roots: ClassVar[frozenset[str]]
    custom: ClassVar[bool] = False
    purpose: ClassVar[Purpose]
    exactness: ClassVar[Exactness]
    cures: ClassVar[frozenset[str]] = frozenset()
    leaves: ClassVar[frozenset[str]] = frozenset()
    saves: ClassVar[float] = 0.0

    @abstractmethod
    def match(self, node: Node, ctx: Context) -> M | Mismatch:
        """The facts needed to rewrite at ``node``, or why not. Pure: it changes nothing."""

    @abstractmethod
    def rewrite(self, match: M, rw: Rewriter) -> None:
        """Rewrite; every edit goes through ``rw``."""

    def attempt(self, node: Node, ctx: Context) -> M | Mismatch:
        """``match``, with a Mismatch that a helper raised as its answer."""
        try:
            return self.match(node, ctx)
        except Mismatch as mismatch:
            return mismatch

    def ways(self, node: Node, ctx: Context) -> Iterator[tuple[str, M | Mismatch]]:
        """Every way to do it, the preferred first, with what tells it from the others; may raise Mismatch as the last.

        ``match`` returns the first that is no Mismatch. Another that is clearly faster, as
        predicted, is taken instead.
        """
        yield "", self.attempt(node, ctx)

    def cure(self, violations: Sequence[Limit]) -> bool:
        """Whether it can satisfy one of ``violations``."""
        ids = {tuple(v.constraint.split(".")[:2]) for v in violations}
        return any(f"{op}.{param}" in self.cures or f"{op}.*" in self.cures for op, param in ids)


def weakest(values: Sequence[Exactness]) -> Exactness:
    """The weakest promise among ``values``; EXACT when there are none."""
    order = list(Exactness)
    return max(values, key=order.index, default=Exactness.EXACT)
