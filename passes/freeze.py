"""Make a model static: numbers for the dims of its inputs, and for what follows from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator

from surgery.errors import InputError, ModelError
from surgery.ir import Graph, Value
from surgery.ir.graph import Shape
from surgery.ir.infer import dims
from surgery.ir.sizes import Sizes, read_sizes, run_inputs, static_shapes
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.pipeline.iomap import IoMap
from surgery.rewrite import Event, Exactness, Purpose, Stats
from surgery.rewrite.rewriter import Change

if TYPE_CHECKING:
    import onnx


class FreezeShapes(Pass):
    """Give the dynamic dims of graph inputs their sizes, and every value the size that follows.

    ``g (float[N,3,H,W] x) => (float[N,8,H2,W2] y)`` becomes ``g (float[1,3,64,64] x) => (float[1,8,32,32] y)``: the
    data is untouched, only what is declared becomes sharper, so that shape arithmetic can be folded away. Sizes come
    from ``shapes``, from a symbol that another input settles, or from the user's samples; a batch that nobody settles
    is 1, and the report says so. From then on graph outputs are declared with the sizes that inference finds.
    It runs only when asked for: by `--input-shape`, by `--add`, or in a pipeline file.
    """

    name: ClassVar[str] = "freeze-shapes"
    cures: ClassVar[frozenset[str]] = frozenset({"model.dynamic_dims"})
    first: ClassVar[bool] = True

    shapes: dict[str, Sizes] = Field(default={})
    """Sizes by input name, as `1x3x640x640` or a list; `--input-shape` adds to them."""
    source: Literal["stated", "sample"] = "stated"
    """Where the sizes of the other inputs come from: `stated` by the model, or those of a `sample` of `--inputs`."""

    @field_validator("shapes", mode="before")
    @classmethod
    def _read(cls, shapes: Any) -> Any:
        if not isinstance(shapes, Mapping):
            return shapes
        try:
            return {name: read_sizes(str(s)) if isinstance(s, str | int) else s for name, s in shapes.items()}
        except ValueError as error:
            raise ValueError(f"{error} is no shape, 1x3x640x640 is one") from error

    def purposes(self, target: Any) -> list[Purpose]:
        """INTERFACE."""
        return [Purpose.INTERFACE]

    def exactness(self, target: Any) -> Exactness:
        """EXACT: nothing is computed in another way."""
        return Exactness.EXACT

    def freezes(self, graph: Graph) -> Mapping[str, Sizes]:
        """The sizes of all inputs, or those stated where a sample decides; raises InputError as :meth:`run` does."""
        return self.shapes if self.source == "sample" else static_shapes(_tensors(graph), self.shapes)[0]

    def settled(self, sizes: Mapping[str, Sizes] | None) -> Self:
        """With the sizes of the sample stated; raises InputError when it is to decide and there is none."""
        if self.source == "stated":
            return self
        if sizes is None:
            raise InputError(
                "source: sample takes the sizes of the data that is verified on, and there is none",
                where=self.name,
                hint="give it by --inputs, and verify; or state them by --input-shape",
            )
        return type(self)(shapes={**sizes, **self.shapes})

    def run(self, run: PassRun) -> Outcome:
        """Freeze all inputs, and infer what follows.

        Raises:
            InputError: the sizes contradict the model or each other, dims stay open, or the operators do not fit
                together at these sizes.
        """
        graph, editor = run.model.graph, run.rw.editor
        ends = [v for v in (*graph.inputs, *graph.outputs) if isinstance(v, Value)]
        mark, before = editor.mark(), [v.shape for v in ends]
        sizes, notes = static_shapes(_tensors(graph), self.settled(None).shapes)
        changes = list(_settled(graph, sizes))
        if not changes and all(v.is_static for v in ends):  # inferred at these sizes already
            return Outcome(note="; ".join(notes))
        for value, shape in changes:
            editor.retype(value, value.dtype, shape)
        inferred = _infer(run)
        moved = [(v, old) for v, old in zip(ends, before, strict=True) if v.shape != old]
        said = {v.name: f"{v.name} {dims(old)} is {dims(v.shape)}" for v, old in moved}
        open_ = any(not v.is_static for v in ends)
        if not said:
            editor.rollback(mark)
        io = IoMap.freezing(graph) if said or open_ else None  # what is open may follow from later passes
        return Outcome(_stats(run, said), io=io, note="; ".join([*said.values(), *notes]), inferred=inferred)


def _tensors(graph: Graph) -> dict[str, Value]:
    """The inputs that have sizes."""
    return {name: value for name, value in run_inputs(graph).items() if value.dtype is not None}


def _settled(graph: Graph, sizes: Mapping[str, Sizes]) -> Iterator[tuple[Value, Shape]]:
    """Every value whose declared shape changes by that: the inputs, and what is declared with their symbols."""
    inputs = _tensors(graph)
    pairs = (pair for name, v in inputs.items() for pair in zip(v.shape or (), sizes[name], strict=bool(v.shape)))
    symbols = {dim: size for dim, size in pairs if isinstance(dim, str)}
    yield from ((v, sizes[name]) for name, v in inputs.items() if v.shape != sizes[name])
    fed = set(inputs.values())
    for value in (v for inner in graph.walk() for v in _declared(inner) if v not in fed and v.shape is not None):
        shape = tuple(symbols.get(d, d) if isinstance(d, str) else d for d in value.shape or ())
        if shape != value.shape:
            yield value, shape


def _declared(graph: Graph) -> Iterator[Value]:
    yield from (t for t in graph.inputs if isinstance(t, Value))
    yield from (value for node in graph.nodes for value in node.outputs)


def _infer(run: PassRun) -> onnx.ModelProto:
    try:
        return run.model.inferred(run.rw.editor.retype, sharpen=True)[1]
    except ModelError as error:
        raise InputError(
            f"the operators do not fit together at these sizes: {error.what}", where="freeze-shapes"
        ) from error


def _stats(run: PassRun, said: Mapping[str, str]) -> Stats:
    """One match where anything changed: a model is frozen as a whole or not at all."""
    if not said:
        return Stats()
    events = [Event("freeze", name, "", "applied", text) for name, text in said.items()] if run.trace else []
    return Stats(matched=1, applied=1, fired=Counter(freeze=1), edits=[Change("freeze", (), ())], events=events)
