"""A model: graph, functions, weights and everything else the file said."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import onnx

from surgery.errors import DefectError, ModelError
from surgery.ir.collector import undisturbed
from surgery.ir.copy import copy_graph
from surgery.ir.exporter import Exporter, Weights, heavy_constants
from surgery.ir.graph import Constant, DType, Graph, Node, Shape, Value
from surgery.ir.infer import Setter, infer
from surgery.ir.invariants import breaches
from surgery.ir.read import read_model
from surgery.ir.store import MappedFile

Source: TypeAlias = "str | os.PathLike[str] | bytes | onnx.ModelProto | Model"


class Model:
    """An ONNX model whose weights stay outside protobuf from load to save.

    Attributes:
        graph: the main graph, in topological order.
        functions: bodies of the model's functions, in file order.
        header: everything of the ModelProto but graph and function bodies.
        path: the file it came from, None for a model built in memory.
        file: that file, open, so that its content is at hand whatever becomes of the name.
        normalised: what loading changed, a sentence each.
    """

    def __init__(self, graph: Graph, functions: list[Graph], header: onnx.ModelProto) -> None:
        self.graph, self.functions, self.header = graph, functions, header
        self.path: Path | None = None
        self.file: MappedFile | None = None
        self.normalised: list[str] = []

    @classmethod
    def load(cls, source: Source, *, keep_input_initializers: bool = False) -> Model:
        """Load, normalise, infer and check a model.

        Args:
            source: a path, the bytes of a file, a ModelProto, or a Model, which is copied.
            keep_input_initializers: leave initializers that are also graph inputs among the inputs.

        Raises:
            ModelError: the file is missing, broken, of an unknown opset or IR version, or stays invalid after
                normalising. Missing external data is no error until a weight is read.
        """
        if isinstance(source, Model):
            return source.copy()
        return read_model(cls, source, keep_input_initializers)

    @property
    def sha256(self) -> str:
        """Of the bytes of the file (external data not included), "" for a model built in memory."""
        return "" if self.file is None else self.file.sha256

    @property
    def opset(self) -> int:
        """Version of the default operator domain."""
        return self.opsets.get("", 1)

    @property
    def opsets(self) -> dict[str, int]:
        """Version per operator domain; the default domain is ``""``."""
        return {("" if o.domain == "ai.onnx" else o.domain): o.version for o in self.header.opset_import}

    @property
    def ir_version(self) -> int:
        """Version of the ONNX file format."""
        return self.header.ir_version

    def graphs(self) -> Iterator[Graph]:
        """The main graph, its bodies, and the functions with theirs."""
        for root in (self.graph, *self.functions):
            yield from root.walk()

    def nodes(self) -> Iterator[Node]:
        """The nodes of the main graph and its bodies; a body's come where its graph comes in the walk."""
        for graph in self.graph.walk():
            yield from graph.nodes

    def heavy(self) -> dict[str, Constant]:
        """The constants that ``to_proto("external")`` and ``to_proto("inputs")`` leave out, by name."""
        return heavy_constants(self.graph)

    def missing_weights(self) -> list[str]:
        """Names of the constants whose data file is absent."""
        return [name for name, constant in self.heavy().items() if constant.weight.missing]

    def to_proto(self, weights: Weights | str = Weights.INLINE) -> onnx.ModelProto:
        """A new ModelProto; see :class:`~surgery.ir.exporter.Weights` for the three forms."""
        proto = self.header_with_functions()
        Exporter(Weights(weights), self.opset, ir_version=self.ir_version).main(self.graph, proto.graph)
        return proto

    def infer(self, assign: Setter | None = None, *, sharpen: bool = False) -> list[str]:
        """Infer dtypes and shapes of every value; returns what contradicted the operators, a sentence each.

        ``assign`` is called for every value that changes (an Editor's ``retype`` makes it undoable). Graph outputs
        keep the dims that they are stated with, unless these are to be made sharper.
        """
        return self.inferred(assign, sharpen=sharpen)[0]

    @undisturbed()
    def inferred(self, assign: Setter | None = None, *, sharpen: bool = False) -> tuple[list[str], onnx.ModelProto]:
        """As :meth:`infer`, with the proto it was done on: :meth:`check` need not make it again."""
        header = self.header_with_functions()
        return infer(self.graph, header, self.opset, assign or _assign, sharpen=sharpen)

    def header_with_functions(self) -> onnx.ModelProto:
        """The header with the bodies of the functions, without the graph."""
        exporter = Exporter(Weights.INLINE, self.opset)
        proto = onnx.ModelProto()
        proto.CopyFrom(self.header)
        del proto.functions[:]
        headers = zip(self.functions, self.header.functions, strict=True)
        proto.functions.extend(exporter.function(graph, header) for graph, header in headers)
        return proto

    @undisturbed()
    def check(self, proto: onnx.ModelProto | None = None) -> None:
        """Hold the graph against its invariants and ``onnx.checker``; raises DefectError or ModelError.

        ``proto`` is what :meth:`inferred` returned, if nothing changed since.
        """
        broken = list(breaches(self.graph))
        if broken:
            raise DefectError("; ".join(broken[:3]), where="graph invariants")
        try:
            onnx.checker.check_model(proto or self.to_proto(Weights.INPUTS))
        except onnx.checker.ValidationError as error:
            raise ModelError(_first_line(error), where="onnx.checker") from error

    @undisturbed()
    def check_changed(self, changed: Iterable[Node]) -> None:
        """:meth:`check` of a model that passed it before some nodes were edited, which alone are put to onnx."""
        if any(True for _ in breaches(self.graph)):
            self.check()
        exporter, context = Exporter(Weights.INPUTS, self.opset), onnx.checker.C.CheckerContext()
        context.ir_version, context.opset_imports = self.ir_version, self.opsets
        try:
            for node in changed:
                if node.graph is not None:
                    onnx.checker.check_node(exporter.node(node), context)
        except onnx.checker.ValidationError:
            self.check()

    def copy(self) -> Model:
        """A copy of graph and functions; weights are shared, since they are never written to."""
        header = onnx.ModelProto()
        header.CopyFrom(self.header)
        twin = Model(copy_graph(self.graph), [copy_graph(f) for f in self.functions], header)
        twin.path, twin.file, twin.normalised = self.path, self.file, list(self.normalised)
        return twin

    def save(self, path: str | os.PathLike[str], *, external: bool | None = None) -> None:
        """Write the model in one atomic step.

        Args:
            path: the file to write; an existing one is replaced only when everything is written.
            external: weights in a data file beside it; by default only when they do not fit into protobuf.

        Raises:
            InputError: the path cannot be written; WeightsMissing: a weight's data file is absent.
        """
        from surgery.ir.save import write

        heavy = {name: constant.weight for name, constant in self.heavy().items()}
        write(self.to_proto(Weights.EXTERNAL), heavy, Path(path), external)

    def digest(self) -> str:
        """A sha256 of graph and light constants, for telling whether two models have the same structure."""
        return hashlib.sha256(self.to_proto(Weights.EXTERNAL).SerializeToString(deterministic=True)).hexdigest()


def _assign(value: Value, dtype: DType | None, shape: Shape | None) -> None:
    fields = value.__dict__  # graphsurgeon's __setattr__ would take longer than all the rest
    fields["dtype"], fields["shape"] = dtype, shape


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
