"""Nodes that the toolchain quantises only for the sake of their neighbours.

An active operator is quantised wherever it stands. A passive one is where all that it reads is quantised, or its result
is asked for quantised; a waiting one only where its result is. A value is quantised when an operator on the BPU reads
it, or made it; a convolution's result is float unless it is read so. A channel shuffle is one passive node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from surgery.ir.graph import Constant, Graph, Node, Tensor
from surgery.target.facts import QUANTISING
from surgery.target.folds import Folds, gemm_of, vanishes
from surgery.target.lookups import SHUFFLE, parts_of_norm, shuffle_behind, sole_reader
from surgery.target.moves import TO_CHANNELS
from surgery.target.target import Target
from surgery.target.verdict import Device, Verdict

READ_BY_NOTHING = "waiting: nothing quantised reads it"
_KEEPING = frozenset({"Clip", "Relu", "Split"})
"""Those that are never passive and keep the scale of what they read."""
BESIDE_NOTHING = "passive: nothing quantised is before or behind it"


class Neighbours:
    """Which nodes of one graph are quantised for the sake of others.

    Args:
        graph: the graph.
        target: the chip.
        verdicts: what the chip says of each node by itself.
        opset: of the model.

    Attributes:
        handed: pieces of floats that are on the BPU for the sake of what they are handed on to.
        pulled: nodes whose result something on the BPU asks for, directly or through passive ones.
        joined: lookups that become one with a waiting one behind them, and that one.
        normal: squares and roots of layer normalisations, which wait for nothing.
        carried: passive nodes that went along with what makes their input; known once :meth:`idle` has run.
        unasked: those on request that run on the BPU unasked where what they read is quantised.
        split: convolutions that end with a movement.
    """

    def __init__(self, graph: Graph, target: Target, verdicts: dict[Node, Verdict], opset: int) -> None:
        self.target, self.verdicts = target, verdicts
        passive = target.march.passive

        def those(ops: Mapping[str, str]) -> set[Node]:
            return {n for n in graph.nodes if n.op in ops and target.holds(ops[n.op], n, opset)}

        self.normal = {part for n in graph.nodes for part in parts_of_norm(n)}
        self.waiting, self.along = those(passive.waiting) - self.normal, those(passive.along)
        self.aloof, self.floats = those(passive.aloof), those(passive.floats)
        self.planar = those(passive.planar)
        self.unasked, self.split = those(passive.unasked), those(passive.split)
        self.active = {n for n in graph.nodes if n.op in passive.only} - those(passive.only)
        cones = {n: shuffle_behind(n) for n in graph.nodes} if target.fuses(SHUFFLE) else {}
        self.shuffles = {cone[-1]: root for root, cone in cones.items() if cone is not None}
        self.joined: dict[Node, Node] = {}
        self.carried: set[Node] = set()
        self.handed: set[Node] = set()
        self.pulled: set[Node] = set()
        for node in reversed(graph.nodes):
            readers = [reader for out in node.outputs for reader in out.outputs if not self._stops(node, reader)]
            if self._is_pulled(node, readers):
                self.pulled.add(node)
            elif node.op in passive.lookups and (last := self._waiting_lookup(node)) is not None:
                self.joined[node] = last

    def idle(self, nodes: Iterable[Node], folds: Folds) -> dict[Node, str]:
        """The nodes that could run on the BPU and are left on the CPU, with the reason, from the front of the graph."""
        idle: dict[Node, str] = {}
        for node in nodes:
            name = folds.lookups.get(node)
            if node in self.pulled or node in folds.into or (name is None and not self._may(node)):
                continue
            if name == SHUFFLE:
                data = self._shuffled(node)
                if not (self._is_made_so(data, idle, folds) or self.is_asked_for(data)):
                    idle[node] = BESIDE_NOTHING
            elif node in self.joined or self._is_let_go(node):
                idle[node] = f"one with {(self.joined.get(node) or node.outputs[0].outputs[0]).name}, which waits"
            elif node in self.waiting if name is None else name in self.target.march.passive.waiting:
                if not self._goes_along(node, idle, folds):
                    idle[node] = READ_BY_NOTHING
            elif name is None and self._waits(node, folds) and not self._fed(node, idle, folds):
                if self._goes_along(node, idle, folds):
                    self.carried.add(node)
                else:
                    idle[node] = BESIDE_NOTHING
        return idle

    def _is_pulled(self, node: Node, readers: Sequence[Node]) -> bool:
        """Whether one of ``readers`` asks for the result of ``node``; behind the CPU some ask less, or are deaf."""
        passive = self.target.march.passive
        asking = [reader for reader in readers if self._pulls(reader) or self._scales(node, reader)]
        if node.op in passive.drawn:
            asking += [reader for reader in readers if self._asks_in_vain(reader)]
        if node in self.waiting and node.op in passive.lookups - passive.after_conv:
            asking = [reader for reader in asking if self._on_bpu(reader) or reader.op not in passive.mute]
        if node in self.waiting and node.op in passive.abrupt:
            asking = [reader for reader in asking if not self.carries(reader)]
        asking = [reader for reader in asking if reader not in self.handed]
        if not asking and any(self._hands_on(node, reader) for reader in readers):
            self.handed.add(node)
            return len(readers) == 1
        if asking and node.op in passive.following | passive.deaf | passive.shy and self._follows_cpu(node):
            if node.op in passive.deaf:
                return len(asking) == len(readers)
            return node.op in passive.shy and any(reader.op not in passive.deaf for reader in asking)
        return bool(asking)

    def _hands_on(self, node: Node, reader: Node) -> bool:
        """Whether a piece of floats goes on to where it is quantised, by a movement to channels first or other pieces.

        It asks for nothing itself.
        """
        if node.op not in self.target.march.passive.apart:
            return False
        return reader in self.handed or (reader in self.pulled and self.is_to_channels(reader))

    def is_to_channels(self, node: Node) -> bool:
        """Whether a movement between two segments takes channels from last to first."""
        return node.op in self.target.march.cuts and tuple(node.attrs.get("perm", ())) == TO_CHANNELS

    def _follows_cpu(self, node: Node) -> bool:
        """Whether all that ``node`` reads is of the CPU, maybe through what would be asked for, too."""
        read = [tensor.producer for tensor in _read(node) if not tensor.is_empty()]
        return bool(read) and all(maker is not None and self._is_of_far_cpu(maker) for maker in read)

    def _is_of_far_cpu(self, maker: Node) -> bool:
        if maker in self.shuffles.values():
            before = self._shuffled(maker).producer
            return before is not None and self._is_of_far_cpu(before)
        if maker in self.waiting and maker.op in self.target.march.passive.abrupt:
            readers = maker.outputs[0].outputs
            if all(self.carries(reader) for reader in readers):
                return True
        if self._on_bpu(maker) and (maker in self.waiting or self._waits(maker, None)):
            return self._follows_cpu(maker)
        return maker in self.verdicts and self._gives_cpu_floats(maker)

    def _gives_cpu_floats(self, node: Node) -> bool:
        return self.verdicts[node].device == "cpu" and node.op not in self.target.march.passive.calibrated

    def _stops(self, node: Node, reader: Node) -> bool:
        """Whether a movement between two segments is none before this reader, and so on the CPU: as the reader is."""
        if node.op not in self.target.march.cuts:
            return False
        return reader in self.planar or (reader in self.verdicts and self.verdicts[reader].device == "cpu")

    def _waiting_lookup(self, node: Node) -> Node | None:
        """An activation that reads ``node`` and waits in vain, if no other kind does, and none is with a later one.

        A Div that stays on the CPU is a Reciprocal of its divisor, and a product.
        """
        reader = sole_reader(node)
        if reader is not None and reader.op == "Div" and "Reciprocal" in self.target.march.passive.waiting:
            divides = reader.inputs[1].producer is node and node not in self.normal
            return reader if divides and self.verdicts[reader].device == "cpu" else None
        out = node.outputs[0]
        given = node.graph is not None and node.graph.is_output(out)
        taken = bool(out.outputs) and not given and all(map(self.takes_along, out.outputs))
        return out.outputs[0] if taken else None

    def carries(self, reader: Node) -> bool:
        """Whether a node only hands on that a lookup behind it waits in vain, and asks too late for one before it."""
        active = reader in self.active and self.verdicts[reader].device == "bpu"
        return reader.op in self.target.march.passive.carrying and not active

    def _is_let_go(self, node: Node) -> bool:
        """Whether lookups that wait in vain are all that reads a passive node which they do not ask."""
        passive = self.target.march.passive
        readers, given = node.outputs[0].outputs, node.graph is not None and node.graph.is_output(node.outputs[0])
        return node.op in passive.strict and bool(readers) and not given and all(map(self.takes_along, readers))

    def takes_along(self, reader: Node) -> bool:
        """Whether a lookup waits in vain, and is not one with a later one."""
        waits = reader in self.waiting and reader.op in self.target.march.passive.lookups
        return waits and reader not in self.pulled and reader not in self.joined

    def _goes_along(self, node: Node, idle: dict[Node, str], folds: Folds) -> bool:
        """Whether ``node`` is taken along by what makes its input, on the BPU, or reads it there."""
        data = node.inputs[0]
        return node in self.along and (self._made_on_bpu(data, idle, folds) is not None or self.is_asked_for(data))

    def _shuffled(self, root: Node) -> Tensor:
        """What the channel shuffle that ends at ``root`` reads."""
        return next(first.inputs[0] for first, last in self.shuffles.items() if last is root)

    def _fed(self, node: Node, idle: dict[Node, str], folds: Folds) -> bool:
        """Whether all that ``node`` reads is quantised, or float of convolutions beside one that is asked for.

        Of what an operator of the CPU makes, that something else asks for it is enough for a single operand only.
        """
        read = folds.computed(node)
        if node.op in self.target.march.passive.heirs and all(self._is_handed(t, idle, folds) for t in read):
            return bool(read)
        strict = node.op in self.target.march.passive.strict
        several = len(read) > 1 and (node.op != "Concat" or strict)
        sure = not several and node.op not in self.target.march.passive.not_after_conv
        asked = [t for t in read if self.is_asked_for(t, node) and (sure or not self._is_of_cpu(t, folds))]
        made = self._is_passed_on if strict else self._is_made_so
        others = [t for t in read if t not in asked and not made(t, idle, folds)]
        if node.op in self.target.march.passive.summing and len(read) == 2 and read[0] is not read[1]:
            others = [t for t in others if not (self._is_sum(t) and self._made_on_bpu(t, idle, folds))]
        if not others:
            return bool(read)
        return node.op != "Concat" and bool(asked) and all(self._is_of_conv(tensor, folds) for tensor in others)

    def _is_passed_on(self, tensor: Tensor, idle: dict[Node, str], folds: Folds) -> bool:
        """Whether a node on the BPU makes ``tensor`` that keeps the scale of what it reads."""
        home = self._made_on_bpu(tensor, idle, folds)
        if home is None or home in self.active:
            return False
        if home.op in _KEEPING or home in self.split:
            return True
        passive = home.op in self.target.march.passive.ops - {"Add"} - self.target.march.passive.not_after_conv
        nodes = (home, *folds.parts(home))
        read = (t for node in nodes for t in _read(node) if t.producer is None or folds.home(t.producer) is not home)
        return passive and all(self.is_asked_for(t, home) or self._is_passed_on(t, idle, folds) for t in read)

    def _is_handed(self, tensor: Tensor, idle: dict[Node, str], folds: Folds) -> bool:
        """Whether an operator of the CPU makes ``tensor`` in the scale of values that are all quantised."""
        maker = tensor.producer
        if maker not in self.verdicts or maker.op not in self.target.march.passive.handing:
            return False
        if not self._is_of_cpu(tensor, folds):
            return False
        read = [each for each in maker.inputs if each.dtype is None or each.dtype.kind == "f"]
        return all(self.is_asked_for(each) or self._is_made_so(each, idle, folds) for each in read)

    def _is_of_cpu(self, tensor: Tensor, folds: Folds) -> bool:
        """Whether an operator makes ``tensor`` that by itself is on the CPU."""
        home = None if tensor.producer is None else folds.home(tensor.producer)
        return home in self.verdicts and self.verdicts[home].device == "cpu" and home not in folds.lookups

    def _waits(self, node: Node, folds: Folds | None) -> bool:
        passive = self.target.march.passive
        if node in self.active:
            return False
        if node.op in passive.not_after_conv:
            return not all(self._is_of_conv(t, folds or Folds()) for t in _read(node))
        sums = node.op in _KEEPING
        made = (self._convolution(t, folds or Folds()) or (sums and self._is_sum(t)) for t in _read(node))
        behind = node.op in passive.after_conv and all(made)
        return node.op in passive.ops or behind

    def _may(self, node: Node) -> bool:
        """Whether the neighbours of ``node`` decide: by itself it would run on the BPU, or die there."""
        return self.verdicts[node].device == "bpu" or self.verdicts[node].spared

    def _on_bpu(self, node: Node) -> bool:
        return node in self.verdicts and self.verdicts[node].device == "bpu"

    def _pulls(self, reader: Node) -> bool:
        """Whether ``reader`` asks for quantised input: it is active on the BPU, or passes on to one that is."""
        if reader not in self.verdicts or reader in self.aloof:
            return False
        if reader in self.shuffles:
            return self.shuffles[reader] in self.pulled
        device = self.verdicts[reader].device
        if reader.op in self.target.march.cuts:
            return False
        if self.target.fuses("flatten-gemm") and (gemm := gemm_of(reader)) is not None:
            return self._pulls(gemm)
        if device == "folded" or vanishes(reader, self.target):
            return reader in self.pulled
        passive = self.target.march.passive
        if reader.op in passive.asking and device == "bpu":
            return True
        if device != "unknown" and not self._may(reader):
            return device == "cpu" and reader.op in passive.passing and reader in self.pulled
        return reader in self.pulled or not (reader in self.waiting or self._waits(reader, None))

    def is_asked_for(self, tensor: Tensor, but: Node | None = None) -> bool:
        """Whether something on the BPU asks for ``tensor`` quantised, a node aside."""
        deaf = self.target.march.passive.deaf
        own = tensor.producer in self.verdicts and self._gives_cpu_floats(tensor.producer)
        readers = (reader for reader in tensor.outputs if reader is not but and not (own and reader.op in deaf))
        return any(self._pulls(reader) or self._asks_in_vain(reader) for reader in readers)

    def _asks_in_vain(self, reader: Node) -> bool:
        """Whether a lookup that waits in vain asks for what it reads, though it is on the CPU."""
        lookups = self.target.march.passive.lookups - self.target.march.passive.sloped
        return reader in self.waiting and reader.op in lookups and reader not in self.pulled and self._on_bpu(reader)

    def apart(self, folds: Folds, devices: Mapping[Node, Device]) -> set[Node]:
        """Those on the BPU that have maps channels first, or read floats of the CPU so, by the devices of all nodes."""
        found = {node for node in self.planar if devices[node] == "bpu"}
        kinds, calibrated = self.target.march.passive.apart, self.target.march.passive.calibrated
        slices: set[Node] = set()
        for node in self.verdicts:
            data = node.inputs[0] if node.op in kinds and devices[node] == "bpu" else None
            if data is None or data.producer is None:
                continue
            maker = folds.home(data.producer)
            others = (folds.home(reader) for reader in data.outputs if reader.op not in kinds)
            floats = devices.get(maker) == "cpu" and maker.op not in calibrated
            if maker in slices or (floats and all(devices.get(reader) != "bpu" for reader in others)):
                slices.add(node)
        return found | slices

    def _scales(self, node: Node, reader: Node) -> bool:
        """Whether the reader says in which scale the result of ``node`` is quantised; a lookup still waits."""
        waits = node in self.waiting and node.op in self.target.march.passive.lookups
        return not waits and reader.op == "QuantizeLinear" and vanishes(reader, self.target)

    def _is_made_so(self, tensor: Tensor, idle: dict[Node, str], folds: Folds) -> bool:
        """Whether a node on the BPU makes ``tensor`` quantised, whoever reads it, or the model says its scale."""
        if tensor.producer is not None and tensor.producer.op in QUANTISING and tensor.producer in folds.into:
            return True
        home = self._made_on_bpu(tensor, idle, folds)
        return home is not None and not self._gives_floats(home)

    def is_quantised(self, tensor: Tensor, idle: dict[Node, str], folds: Folds) -> bool:
        """Whether something asks for ``tensor``, or makes it quantised; what is of the CPU may stay floats."""
        maker = tensor.producer
        handed = maker is not None and maker.op in self.target.march.passive.handing
        if maker in self.verdicts and folds.home(maker) is maker and self._gives_cpu_floats(maker) and not handed:
            return False
        return self.is_asked_for(tensor) or self._is_made_so(tensor, idle, folds)

    def _made_on_bpu(self, tensor: Tensor, idle: dict[Node, str], folds: Folds) -> Node | None:
        """The node on the BPU that makes ``tensor``."""
        if tensor.producer is None or tensor.producer not in self.verdicts:
            return None
        home = folds.home(tensor.producer)
        return home if home not in idle and (self._on_bpu(home) or home in folds.lookups) else None

    def _convolution(self, tensor: Tensor, folds: Folds) -> Node | None:
        """The convolution whose result, normalised or not, ``tensor`` is."""
        home = None if tensor.producer is None else folds.home(tensor.producer)
        while home is not None and home.op == "BatchNormalization":
            home = home.inputs[0].producer
        return home if home is not None and home.op in ("Conv", "Gemm") else None

    def _is_sum(self, tensor: Tensor) -> bool:
        """Whether ``tensor`` is a sum that becomes a convolution."""
        return tensor.producer is not None and tensor.producer.op in self.target.march.passive.summing

    def _is_of_conv(self, tensor: Tensor, folds: Folds) -> bool:
        maker = self._convolution(tensor, folds)
        return maker is not None and self._on_bpu(maker)

    def _gives_floats(self, node: Node) -> bool:
        """Whether the result of ``node`` leaves the BPU as floats where nothing quantised reads it."""
        if node in self.carried or node not in self.floats:
            return node in self.carried
        passive = self.target.march.passive
        return node in self.active or node.op not in passive.ops or node.op in passive.summing


def _read(node: Node) -> Iterator[Tensor]:
    return (tensor for tensor in node.inputs if not isinstance(tensor, Constant))
