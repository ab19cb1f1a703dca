"""How far an image goes before the network begins: the last tensor that alone stands between both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from passes.lift.pixels import Channel, Pixels, read
from surgery.ir import Constant, Graph, Node, Tensor
from surgery.pipeline.lifted import Lifted
from surgery.rewrite import Mismatch

COLOURS = (1, 3)
"""Channels of an image."""
WHITE = 255.0
ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div"})
SMALL = 1 / 16
"""A pixel of 255 steps is scaled by less than this by any network that works around 1."""


@dataclass(frozen=True)
class Cut:
    """What can be lifted: the nodes from the input to ``tensor``, and what they do."""

    tensor: Tensor
    nodes: tuple[Node, ...]
    pixels: Pixels


@dataclass
class Front:
    """One input followed into a graph.

    Attributes:
        graph: the main graph.
        image: its input.
        protected: says of a node that it has to stay.
        refusals: why what looks like it cannot be lifted.
    """

    graph: Graph
    image: Tensor
    protected: Callable[[Node], bool]
    refusals: list[Mismatch] = field(default_factory=list)

    def cut(self) -> Cut | None:
        """The farthest place to cut at; None, with ``refusals``, where there is none."""
        try:
            known, nodes, found = {self.image: self._start()}, list[Node](), None
        except Mismatch as mismatch:
            if any(node.op in ARITHMETIC for node in self.image.consumers):
                self.refusals.append(mismatch)
            return None
        for node in self.graph.nodes:
            if not any(tensor in known for tensor in node.inputs) or not self._reads(node, known):
                continue
            nodes.append(node)
            found = self._whole(known, nodes) or found
        if found is None and nodes and not self.refusals:
            self._shared(known, nodes)
        return found

    def _start(self) -> Pixels:
        shape, axis = self.image.shape or (), _channel_axis(self.image)
        count = shape[axis]
        if not isinstance(count, int):
            raise Mismatch(f"the channels of {self.image.name!r} are {count or 'not known'}, they must be a number")
        if count not in COLOURS:
            text = f"{self.image.name!r} has {count} channels, an image has 1 or 3; anything else is a feature map"
            raise Mismatch(text)
        if self.image.dtype is None:
            raise Mismatch(f"the type of {self.image.name!r} is not known")
        return Pixels(tuple(map(Channel, range(count))), tuple(range(len(shape))), axis, self.image.dtype)

    def _reads(self, node: Node, known: dict[Tensor, Pixels]) -> bool:
        """Whether ``node`` is a step of the front; what it makes is known then."""
        try:
            made = read(node, known)
        except Mismatch as mismatch:
            self.refusals.append(mismatch)
            return False
        if made is not None and self.protected(node):
            self.refusals.append(Mismatch(f"{node.name!r} is protected", node))
            return False
        if made is None:
            self._padded(node)
            return False
        known.update(zip(node.outputs, made, strict=True))
        return True

    def _padded(self, node: Node) -> None:
        """Say so where arithmetic comes behind padding."""
        reader = next((r for r in node.outputs[0].consumers if node.op == "Pad" and r.op in ARITHMETIC), None)
        if reader is not None and any(isinstance(tensor, Constant) for tensor in reader.inputs):
            text = f"{reader.op} {reader.name!r} is behind the padding of {node.name!r}, it must come before: "
            self.refusals.append(Mismatch(f"{text}the tool pads what it has normalised", reader))

    def _whole(self, known: dict[Tensor, Pixels], nodes: list[Node]) -> Cut | None:
        """The cut at the one tensor that is still to be read, where that is an image again."""
        live = [tensor for tensor in known if self._is_live(tensor, nodes)]
        if len(live) != 1 or self.graph.is_output(live[0]) or live[0] is self.image:
            return None
        pixels = known[live[0]]
        if (reason := _differs(pixels, known[self.image])) is not None:
            self.refusals.append(Mismatch(f"{live[0].name!r} {reason}", nodes[-1]))
            return None
        return Cut(live[0], tuple(nodes), pixels)

    def _is_live(self, tensor: Tensor, nodes: list[Node]) -> bool:
        return self.graph.is_output(tensor) or any(reader not in nodes for reader in tensor.consumers)

    def _shared(self, known: dict[Tensor, Pixels], nodes: list[Node]) -> None:
        tensor = next(tensor for tensor in known if self._is_live(tensor, nodes))
        reader = next((r for r in tensor.consumers if r not in nodes), None)
        if reader is None or self.graph.is_output(tensor):
            other = "is also a graph output"
        else:
            other = f"also feeds {reader.name!r}"
        text = f"{tensor.name!r} {other}, the normalisation must be the only path"
        self.refusals.append(Mismatch(text, nodes[0]))


def _channel_axis(image: Tensor) -> int:
    """The axis that holds the channels; Mismatch for what is no image."""
    shape = image.shape
    if shape is None or len(shape) != len("NCHW"):
        rank = "an unknown number of" if shape is None else len(shape)
        raise Mismatch(f"{image.name!r} has {rank} dims, an image has 4")
    return 3 if shape[1] not in COLOURS and shape[3] in COLOURS else 1


def _differs(pixels: Pixels, start: Pixels) -> str | None:
    """Why ``pixels`` are nothing that the toolchain makes of an image; None where they are."""
    sources = [channel.source for channel in pixels.channels]
    if sorted(sources) != list(range(len(start.channels))):
        return f"holds the channels {_list(sources)}, it must hold each once"
    if sources not in (sorted(sources), sorted(sources)[::-1]):
        return f"has the channels in the order {_list(sources)}, it must be that of the image or the reverse"
    if pixels.at is None or [axis for axis in pixels.order if axis != pixels.axis] != _places(start):
        return "is turned, batch, rows and columns must stay in order"
    if pixels.at not in (1, 3):
        return "has its channels neither behind the batch nor last"
    if pixels.dtype != np.float32:
        return f"is {pixels.dtype}, the network must be fed float32"
    return None if all(channel.scale for channel in pixels.channels) else "is scaled by 0"


def _places(start: Pixels) -> list[int]:
    return [axis for axis in start.order if axis != start.axis]


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def lifted(cut: Cut, image: Tensor, pixels: int | str) -> Lifted:
    """What the toolchain has to be told of a cut.

    Args:
        cut: what is lifted.
        image: the input that it is lifted from.
        pixels: largest value of the input: 255, 1, or ``auto`` where the graph says which.

    Raises:
        Mismatch: the graph does not say which.
    """
    channels = cut.pixels.channels
    changed = any((channel.scale, channel.shift) != (1.0, 0.0) for channel in channels)
    if pixels == "auto" and changed and not _full_scale(cut, image):
        raise Mismatch(
            f"the pixels of {image.name!r} may be 0 to 1 or 0 to 255, lift-normalisation.pixels must say 1 or 255",
            cut.nodes[0],
        )
    unit = 1.0 if pixels == "auto" else int(pixels) / WHITE
    scales = tuple(channel.scale * unit for channel in channels)
    means = tuple(0.0 if not c.shift else -c.shift / scale for c, scale in zip(channels, scales, strict=True))
    return Lifted(
        mean=means if any(means) else (),
        scale=scales if any(scale != 1 for scale in scales) else (),
        swapped=channels[0].source > channels[-1].source,
        layout="NCHW" if cut.pixels.at == 1 else "NHWC",
    )


def _full_scale(cut: Cut, image: Tensor) -> bool:
    """Whether the input has pixels of 0 to 255: integers, or what is scaled or shifted as only these are."""
    if image.dtype is not None and image.dtype.kind in "ui":
        return True
    steps = cut.pixels.channels
    return all(abs(c.scale) <= SMALL or abs(c.shift / c.scale) > 1 for c in steps)
