"""From the toolchain's names back to our nodes: renamed, fused, split and inserted ones recognised.

A row carries the name of one node (often the last of those it does the work of) or one made up from it. Its value
keeps its name up to a suffix, so the nodes it stands for are those between that value and the nearest values that
other rows make. Where there is a table alone, without the toolchain's graphs, names have to do (:func:`named`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from surgery.ir import Model
from surgery.ir.graph import Constant, Graph, Node
from surgery.toolchain.log import TableRow
from surgery.toolchain.results import CUT, Placement, whole_names
from surgery.toolchain.structure import Op

Device = Literal["bpu", "cpu", "folded"]
_SUFFIX = re.compile(r"(_quantized|_calibrated|_before|_requantized|_dequantized)+$")
_SHAPES = frozenset({"Shape", "Size"})
_RENAMED = "UNIT_CONV_FOR_"
"""In front of the name of a node that was made a convolution."""
_FOR_INPUT = "HZ_PREPROCESS_FOR_"
_PART = re.compile(r"_(?:reciprocal|mul|gemm|square|sqrt|sum|expand|Pow|ReduceSum|Sqrt|sub\d+)$")
"""Behind the name of a node that was taken apart."""
_PADDED = "padded_"
_JOINT = "_concat"
"""Behind the name of a product of many channels: what joins the maps of its parts."""
_FLOAT = frozenset({"HzDequantize"})
_MOVEMENTS = frozenset({"Reshape", "Transpose"})
_HANDING = _MOVEMENTS | {"Cast"}
_MOVES = _HANDING | {"Flatten", "Squeeze", "Unsqueeze", "DepthToSpace", "SpaceToDepth", "Gather", "Slice"}


@dataclass(frozen=True)
class Names:
    """Which rows do the work of which node.

    Attributes:
        rows: names of the rows of each node, by the node's name; none for a node that was folded away.
        nodes: names of the nodes behind each row, by the row's name.
        inserted: rows that stand for no node, with the node for whose sake they were inserted ("" unknown).
        devices: by name of a row.
    """

    rows: dict[str, tuple[str, ...]]
    nodes: dict[str, tuple[str, ...]]
    inserted: dict[str, str]
    devices: dict[str, Literal["bpu", "cpu"]]

    def behind(self, layer: str) -> tuple[str, ...]:
        """Names of the nodes behind a layer of the compiled model.

        The compiler cuts rows into layers ``ROW-part``, and ``padded_ROW`` cuts what it added off again.
        """
        names = (layer, layer.removeprefix(_PADDED))
        row = next((name for name in names if name in self.nodes), "") or stem(names[-1], self.nodes)
        return self.nodes.get(row, ()) or tuple(filter(None, (self.inserted.get(row, ""),)))

    def device(self, node: str) -> Device:
        """Where a node runs: on the CPU if any row of it does, folded if it has none."""
        found = {self.devices[row] for row in self.rows.get(node, ())}
        return "cpu" if "cpu" in found else "bpu" if found else "folded"


class _Mapper:
    """The walk; a row that is a node of ours as it was claims it, as one does of its name whose value is none of ours.

    Nodes without a name in the file are found by their values alone: either side names them as it likes.
    """

    def __init__(self, model: Model, placement: Placement) -> None:
        self.graph = model.graph
        self.own = {node.name: node for node in model.graph.nodes if node.named}
        self.makers = {tensor.name: node for node in model.graph.nodes for tensor in node.outputs}
        shown = zip(placement.names, placement.rows, strict=True)
        self.devices = {name: row.device for name, row in shown} | _hidden(placement, self.own)
        rows = [op for op in placement.quantised if op.name in self.devices]
        values = {op.name: [v for name in op.outputs if (v := original(name, self.makers)) is not None] for op in rows}
        self._hand_back(placement, values)
        self.made = {value for found in values.values() for value in found}
        self.claimed = {op.name: node for op in rows if (node := self._plain(op, values[op.name])) is not None}
        self.taken = set(self.claimed.values())
        self.constant = _constant(model.graph)
        values |= {op.name: found for op in rows if (found := self._part(op, values[op.name]))}
        self.made |= {value for found in values.values() for value in found}
        self.behind = {name: self._behind(name, found) for name, found in values.items()}

    def _hand_back(self, placement: Placement, values: dict[str, list[str]]) -> None:
        """What an inserted movement hands on under the name of a value of ours, the row before it has made."""
        makers = {name: op for op in placement.quantised for name in op.outputs}
        for op in placement.quantised:
            if not (values.get(op.name) and self._is_inserted(op)):
                continue
            maker: Op | None = op
            while maker is not None and (maker.op in _FLOAT or self._is_inserted(maker)):
                maker = makers.get(maker.inputs[0]) if maker.inputs else None
            if maker is not None and maker.name in values:
                values[maker.name] += values[op.name]
                values[op.name] = []

    def _is_inserted(self, op: Op) -> bool:
        """Whether a node is a movement or cast of the toolchain's own, not one of ours under another name."""
        if op.op == "Concat" and op.name.endswith(_JOINT) and op.name not in self.own:
            return op.name.removesuffix(_JOINT) in self.own
        if op.op not in _HANDING or op.name in self.own:
            return False
        made = (self.makers[name] for name in op.outputs if name in self.makers)
        return not any(node.op in _MOVES for node in made)

    def _plain(self, op: Op, values: Iterable[str]) -> Node | None:
        """The node of ours that a row is unchanged, so that nothing before it can have gone into it."""
        makers = {self.makers[value] for value in values}
        if not makers:
            return self.own.get(op.name)
        node = makers.pop()
        return node if not makers and node.op == op.op else None

    def _part(self, op: Op, values: Sequence[str]) -> list[str]:
        """The value of the node that a row is a part of by its name; the divisor's for the reciprocal of a Div."""
        node = self.own.get(_PART.sub("", op.name))
        if values or op.name in self.own or node is None or node in self.taken:
            return []
        if node.op == "Div" and op.name.endswith("_reciprocal"):
            divisor = node.inputs[1].name
            return [divisor] if divisor in self.makers and divisor not in self.made else []
        return [tensor.name for tensor in node.outputs]

    def _behind(self, row: str, values: Iterable[str]) -> tuple[str, ...]:
        """Names of the nodes between ``values`` and the nearest values that other rows make."""
        if row in self.claimed:
            return (self.claimed[row].name,)
        found: dict[Node, None] = {}
        waiting = [self.makers[value] for value in values]
        while waiting:
            node = waiting.pop()
            if node not in found and node not in self.taken and node not in self.constant:
                found[node] = None
                waiting += self._feeding(node)
        behind = tuple(node.name for node in self.graph.nodes if node in found)
        return behind or ((row,) if row in self.own else ())

    def _feeding(self, node: Node) -> Iterable[Node]:
        for tensor in node.inputs:
            if not isinstance(tensor, Constant) and tensor.name not in self.made and tensor.producer is not None:
                yield tensor.producer

    def names(self) -> Names:
        """What was found."""
        rows: dict[str, list[str]] = {}
        for row, behind in self.behind.items():
            for node in behind:
                rows.setdefault(node, []).append(row)
        nodes = {row: self.behind.get(row, ()) for row in self.devices}
        inserted = {row: nearest(row, self.own) for row, behind in nodes.items() if not behind}
        return Names({node: tuple(found) for node, found in rows.items()}, nodes, inserted, self.devices)


def map_names(model: Model, placement: Placement) -> Names:
    """Which rows of ``placement`` do the work of which nodes of ``model``."""
    return _Mapper(model, placement).names()


def named(model: Model, rows: Sequence[TableRow]) -> Names:
    """As :func:`map_names`, from the rows of a table alone: a row makes the values of the node that it is called after.

    ``nodes`` of a row is empty, and so is the name in ``inserted``, where nothing in the model is called like it. Of a
    row on the CPU, and of Transposes, which tables hide, only the node of that name counts.
    """
    own = {node.name: node for node in model.graph.nodes}
    clear = _clear(rows, list(own))
    ops = []
    for row, name in zip(clear, whole_names(clear, list(own)), strict=True):
        if (node := own.get(called(name, own))) is not None:
            ops.append(Op(row.type, name, (), tuple(tensor.name for tensor in node.outputs)))
    names = map_names(model, Placement(tuple(clear), (), tuple(ops), ()))
    nodes = {row: _sure(row, behind, names, own) for row, behind in names.nodes.items()}
    behind = {node: tuple(row for row in found if node in nodes[row]) for node, found in names.rows.items()}
    ends = _ends(model)
    inserted = {row: _owner(row, ends) for row, found in nodes.items() if not found}
    inserted |= {row.name: "" for row in rows if row not in clear}
    return Names({n: found for n, found in behind.items() if found}, nodes, inserted, names.devices)


def _clear(rows: Sequence[TableRow], own: Sequence[str]) -> list[TableRow]:
    """``rows`` without those whose cut names may stand for nodes on different devices, or for more than there are."""
    whole = {row.name for row in rows}
    counts, devices = Counter(row.name for row in rows), dict[str, set[str]]()
    for row in rows:
        devices.setdefault(row.name, set()).add(row.device)
    fits = {name: sum(n.endswith(name[len(CUT) :]) and n not in whole for n in own) for name in whole if _is_cut(name)}
    dim = {name for name, count in fits.items() if count > 1 and (len(devices[name]) > 1 or count != counts[name])}
    return [row for row in rows if row.name not in dim]


def _is_cut(name: str) -> bool:
    return name.startswith(CUT)


def called(row: str, own: Mapping[str, Node]) -> str:
    """The name of the node that a row is called after, whole, renamed or as a part of it; the row's own otherwise.

    >>> called("UNIT_CONV_FOR_add", {"add": 0}), called("n_sqrt", {"n": 0}), called("n_reshape", {"n": 0})
    ('add', 'n', 'n_reshape')
    """
    candidates = (row, row.removeprefix(_RENAMED), _PART.sub("", row))
    return next((name for name in candidates if name in own), row)


def _sure(row: str, behind: tuple[str, ...], names: Names, own: Mapping[str, Node]) -> tuple[str, ...]:
    """The nodes behind a row that it certainly stands for."""
    name = called(row, own)
    fused = names.devices[row] == "bpu"
    return tuple(n for n in behind if n == name or (fused and own[n].op != "Transpose" and n not in names.devices))


def _ends(model: Model) -> dict[str, str]:
    """The node that makes each value, by the value's name; inputs and nodes under their own names."""
    ends = {tensor.name: tensor.name for tensor in model.graph.inputs}
    ends |= {tensor.name: node.name for node in model.graph.nodes for tensor in node.outputs}
    return ends | {node.name: node.name for node in model.graph.nodes}


def _owner(row: str, ends: Mapping[str, str]) -> str:
    """The node for whose value a row was inserted; "" where its name tells of none.

    >>> _owner("HZ_PREPROCESS_FOR_x", {"x": "x"}), _owner("...v_out_calibrated_pad", {"conv_out": "conv"})
    ('x', 'conv')
    """
    name = row.removeprefix(_FOR_INPUT).removeprefix(_RENAMED)
    if _is_cut(name):
        tail = name[len(CUT) :].partition("_calibrated")[0]
        return next((node for end, node in ends.items() if tail and end.endswith(tail)), "")
    return ends.get(name, "") or ends.get(stem(name, ends), "")


def original(name: str, known: Mapping[str, object]) -> str | None:
    """The value of ours that a value of the toolchain's graph is; None when it is none of ours.

    >>> original("c_before_quantized", {"c": 0}), original("n_nhwc2nchw_transposed_output0", {"n": 0})
    ('c', None)
    """
    return next((candidate for candidate in (name, _SUFFIX.sub("", name)) if candidate in known), None)


def stem(layer: str, rows: Iterable[str]) -> str:
    """The row that a layer is part of: the longest whose name the layer's begins with, "" when there is none.

    >>> stem("/a/Conv_output_0-conv", ["/a", "/a/Conv", "/a/Con"]), stem("/a/Convoy", ["/a/Conv"])
    ('/a/Conv', '')
    """
    fits = (row for row in rows if row and layer.startswith(row) and not layer[len(row)].isalnum())
    return max(fits, key=len, default="")


def nearest(row: str, nodes: Iterable[str]) -> str:
    """The node whose name is the longest that an inserted row's name holds.

    >>> nearest("/fc/Gemm_transpose_output_reshape", ["/fc", "/fc/Gemm"])
    '/fc/Gemm'
    """
    return max((name for name in nodes if name and name in row), key=len, default="")


def _constant(graph: Graph) -> set[Node]:
    """Nodes that depend on shapes and constants alone, which the toolchain knows and folds."""
    found: set[Node] = set()
    for node in graph.nodes:
        read = [tensor for tensor in node.inputs if not isinstance(tensor, Constant) and not tensor.is_empty()]
        if node.op in _SHAPES or all(tensor.producer in found for tensor in read):
            found.add(node)
    return found


def _hidden(placement: Placement, own: Mapping[str, Node]) -> dict[str, Literal["bpu", "cpu"]]:
    """Nodes of ours that the table does not show though the quantised model has them: float values are the CPU's."""
    floating = {name for op in placement.quantised if op.op in _FLOAT for name in op.outputs}
    shown: dict[str, Literal["bpu", "cpu"]] = {}
    for op in placement.quantised:
        if op in placement.hidden and op.name in own:
            shown[op.name] = "cpu" if floating.intersection(op.inputs) else "bpu"
        if op.op != "HzQuantize" and floating.intersection(op.inputs):
            floating.update(op.outputs)
    return shown
