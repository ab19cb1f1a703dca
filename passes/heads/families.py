"""The heads that are known, by the shape of the graph behind the last convolutions; names of tensors say nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from passes.heads.tail import bins_of
from passes.heads.trace import OUTPUT
from surgery.ir import Constant, Node, Value

Anchors = tuple[tuple[float, float], ...]

ROLES = ("all", "class", "box", "object", "angle", "keypoint", "mask", "logits", "score", "reference")
"""Roles in the order of outputs; of those from ``angle`` on, all strides come behind the others."""
LATE = frozenset({"angle", "keypoint", "mask"})
BOX = 4
SELECTS = frozenset({OUTPUT, "ArgMax", "Gather", "GatherElements", "NonMaxSuppression", "ReduceMax", "TopK"})
"""What takes scores as they are; what computes on with them makes a coordinate or a confidence of them."""


@dataclass(frozen=True, eq=False)
class Source:
    """A tensor behind the last convolutions.

    Attributes:
        value: the tensor.
        channels: of a map, or the last dim of what is none.
        stride: pixels of the picture per place of a map; None for what is none.
        ends: which operators first compute with its elements, with how many of them; see ``trace``.
    """

    value: Value
    channels: int
    stride: int | None
    ends: Mapping[str, int]

    def only(self, *names: str) -> bool:
        """Whether nothing but these operators ends its elements."""
        return bool(self.ends) and set(self.ends) <= set(names)

    @property
    def is_score(self) -> bool:
        """Whether it goes through a Sigmoid, and the result is taken as it is."""
        return self.only(*(f"Sigmoid>{name}" for name in SELECTS))


@dataclass(frozen=True)
class Tail:
    """What families are recognised in: the tensors, and the nodes behind them."""

    sources: tuple[Source, ...]
    nodes: tuple[Node, ...]

    @property
    def maps(self) -> tuple[Source, ...]:
        """Those with places."""
        return tuple(s for s in self.sources if s.stride is not None)

    @property
    def bins(self) -> int | None:
        """Bins of the distributions that sides of boxes are; None where nothing is weighed by 0, 1, 2 …."""
        softmax = any(node.op == "Softmax" for node in self.nodes)
        return next((bins for node in self.nodes if (bins := bins_of(node))), None) if softmax else None


@dataclass(frozen=True)
class Found:
    """A head of a family: the role of every tensor, and what decoding takes."""

    family: str
    roles: tuple[tuple[Source, str], ...]
    classes: int | None = None
    reg_max: int | None = None
    anchors: tuple[Anchors, ...] = ()

    @property
    def ordered(self) -> list[tuple[Source, str]]:
        """By stride, then role; maps that go with boxes (masks, keypoints) behind all boxes."""
        return sorted(self.roles, key=lambda each: (each[1] in LATE, each[0].stride or 0, ROLES.index(each[1])))


def _classes(roles: Iterable[tuple[Source, str]]) -> int | None:
    return next((source.channels for source, role in roles if role == "class"), None)


def _per_level(roles: Sequence[tuple[Source, str]], *needed: str) -> bool:
    """Whether every stride has each of the roles ``needed`` exactly once, and there is a stride."""
    strides = {source.stride for source, _ in roles}
    counts = Counter((source.stride, role) for source, role in roles)
    return bool(strides) and all(counts[stride, role] == 1 for stride in strides for role in needed)


def dfl(tail: Tail) -> Found | None:
    """YOLOv5u, v8 to v13: sides of boxes as distributions over bins; classes, masks, keypoints, angles beside them."""
    bins = tail.bins
    if bins is None or len(tail.maps) != len(tail.sources):
        return None
    roles = [(source, _beside(source, bins)) for source in tail.maps]
    if not (_per_level(roles, "box", "class") or _per_level(roles, "all")):
        return None
    joined = next((s.channels - BOX * bins for s, role in roles if role == "all"), None)
    return Found("yolo-dfl", tuple(roles), _classes(roles) or joined, bins)


def _beside(source: Source, bins: int) -> str:
    """The role of a map at a head of boxes without anchors."""
    if "Softmax" in source.ends:
        return "box" if source.channels == BOX * bins else "all"
    if source.is_score:
        return "class"
    if source.only(OUTPUT):
        return "mask"
    squashed = any(name.startswith("Sigmoid>") for name in source.ends)
    if source.channels == 1 and squashed:
        return "angle"
    return "keypoint"


def anchored(tail: Tail) -> Found | None:
    """YOLOv3 to v7: a map of ``anchors * (5 + classes)`` channels per stride, taken apart by a Reshape to rank 5."""
    split = {source: _taken_apart(source) for source in tail.maps}
    if not split or len(split) != len(tail.sources) or not all(split.values()):
        return None
    first = next(iter(split.values())) or (0, 0)
    decoded = any(node.op in {"Pow", "Exp", "Mul"} for node in tail.nodes)
    squashed = all(any(name.startswith("Sigmoid>") for name in source.ends) for source in tail.maps)
    if not (decoded and squashed and _per_level([(s, "all") for s in split], "all")):
        return None
    ordered = sorted(split, key=lambda source: source.stride or 0)
    anchors = tuple(a for source in ordered if (a := _anchors(source, first[0], tail)))
    known = anchors if len(anchors) == len(ordered) else ()
    return Found("yolo-anchor", tuple((s, "all") for s in ordered), first[1] - BOX - 1, anchors=known)


def _taken_apart(source: Source) -> tuple[int, int] | None:
    """Anchors, and values per anchor, of a map that is reshaped to N x anchors x values x H x W."""
    for node in source.value.consumers:
        shape = node.outputs[0].shape
        if node.op == "Reshape" and shape is not None and len(shape) == len("NADHW"):
            count, values = shape[1], shape[2]
            if isinstance(count, int) and isinstance(values, int) and count * values == source.channels > values > BOX:
                return count, values
    return None


def _anchors(source: Source, count: int, tail: Tail) -> Anchors:
    """Widths and heights in pixels: the constant of ``count`` pairs that a product below this map has, () without."""
    reached = {source.value}
    for node in tail.nodes:
        if reached.isdisjoint(node.inputs):
            continue
        if node.op == "Concat" and not reached.issuperset(t for t in node.inputs if isinstance(t, Value)):
            continue  # other strides join here
        reached.update(node.outputs)
        for constant in (t for t in node.inputs if isinstance(t, Constant)):
            if node.op == "Mul" and (pairs := _pairs(constant, count)):
                return pairs
    return ()


def _pairs(constant: Constant, count: int) -> Anchors:
    """A constant of 1 x anchors x H x W x 2 that is the same at every place, as pairs."""
    shape = constant.shape
    if len(shape) != len("NAHWP") or shape[1] != count or shape[-1] != len("WH"):
        return ()
    values = constant.values.astype(np.float64)
    if not np.array_equal(values, np.broadcast_to(values[:, :, :1, :1], values.shape)):
        return ()
    return tuple((float(w), float(h)) for w, h in values[0, :, 0, 0].tolist())


def _free(family: str, decodes: Callable[[Source], bool], *, scored: bool, tail: Tail) -> Found | None:
    """A head without anchors or bins: boxes of 4, classes, and with ``scored`` a confidence of one channel."""
    if tail.bins is not None or not tail.maps or len(tail.maps) != len(tail.sources):
        return None
    roles: list[tuple[Source, str]] = []
    for source in tail.maps:
        beside = [s for s in tail.maps if s.stride == source.stride]
        if source.channels == BOX and decodes(source):
            roles.append((source, "box"))
        elif any(name.startswith("Sigmoid>") for name in source.ends) and not source.ends.get(OUTPUT):
            single = [s for s in beside if s.channels == 1 and any(n.startswith("Sigmoid>") for n in s.ends)]
            lone = scored and bool(single) and source is single[-1]
            roles.append((source, "object" if lone else "class"))
        else:
            roles.append((source, "mask" if source.only(OUTPUT) and not scored else "keypoint"))
    needed = ("box", "class", "object") if scored else ("box", "class")
    return Found(family, tuple(roles), _classes(roles)) if _per_level(roles, *needed) else None


def ltrb(tail: Tail) -> Found | None:
    """YOLOv6, YOLO26: distances to four sides, subtracted from and added to the place."""
    return _free("yolo-ltrb", lambda s: s.only("Sub", "Add"), scored=False, tail=tail)


def fcos(tail: Tail) -> Found | None:
    """FCOS: distances to four sides with a centreness; raw, where decoding is left to the host."""
    return _free("fcos", lambda s: s.only("Sub", "Add") or s.only("Exp") or s.only(OUTPUT), scored=True, tail=tail)


def yolox(tail: Tail) -> Found | None:
    """YOLOX, YuNet: a centre that is added to the place, the exponential of a size, and an objectness; or raw."""

    def decodes(source: Source) -> bool:
        return source.only(OUTPUT) or (source.only("Add", "Exp", "Mul") and "Exp" in source.ends)

    return _free("yolox", decodes, scored=True, tail=tail)


def ssd(tail: Tail) -> Found | None:
    """SSD, RFB, RetinaFace: per stride scores of priors through a Softmax, and their boxes."""
    if tail.bins is not None or len(tail.maps) != len(tail.sources):
        return None
    roles = [(s, "class" if s.only("Softmax") else "box") for s in tail.maps]
    wide = all(s.channels % BOX == 0 for s, role in roles if role == "box")
    boxes = {s.stride: s.channels // BOX for s, role in roles if role == "box"}
    if not (wide and _per_level(roles, "box", "class")):
        return None
    scores = next(s for s, role in roles if role == "class")
    return Found("ssd", tuple(roles), scores.channels // boxes[scores.stride])


def retinanet(tail: Tail) -> Found | None:
    """RetinaNet: per stride the classes of several anchors through a Sigmoid, and as many boxes with an exponential."""
    if tail.bins is not None or len(tail.maps) != len(tail.sources):
        return None
    roles = [(s, "class" if any(n.startswith("Sigmoid>") for n in s.ends) else "box") for s in tail.maps]
    boxes = {s.stride: s.channels for s, role in roles if role == "box"}
    several = all(c > BOX and c % BOX == 0 for c in boxes.values())
    if not (several and _per_level(roles, "box", "class")):
        return None
    scores = next(s for s, role in roles if role == "class")
    return Found("retinanet", tuple(roles), scores.channels // (boxes[scores.stride] // BOX))


def detr(tail: Tail) -> Found | None:
    """DETR, RT-DETR: rows of queries instead of maps, a score per class and a box for each."""
    rows = [s for s in tail.sources if len(s.value.shape or ()) == len("NQC")]
    if tail.maps or len(rows) != len(tail.sources) or len({(s.value.shape or ())[1] for s in rows}) != 1:
        return None
    scores = [s for s in rows if s.is_score or s.only("Softmax")]
    scores = [s for s in scores if s.channels != BOX] or scores[:1]
    boxes = [s for s in rows if s not in scores and s.channels == BOX]
    if len(scores) != 1 or not boxes or len(boxes) + 1 != len(rows):
        return None
    roles = [(scores[0], "class"), (boxes[0], "box"), *((s, "reference") for s in boxes[1:])]
    return Found("detr", tuple(roles), scores[0].channels)


_OF_LOGITS = frozenset(
    {
        "ArgMax", "Cast", "Flatten", "LogSoftmax", "Reshape", "Resize", "Sigmoid", "Softmax", "Squeeze", "TopK",
        "Transpose",
    }
)  # fmt: skip
"""What is done to logits that are not boxes."""


def segmentation(tail: Tail) -> Found | None:
    """Segmentation: one map of logits, then a Softmax, Sigmoid, ArgMax or Resize."""
    lone = len(tail.sources) == len(tail.maps) == 1 and all(node.op in _OF_LOGITS for node in tail.nodes)
    return Found("segmentation", ((tail.maps[0], "logits"),), tail.maps[0].channels) if lone else None


def classification(tail: Tail) -> Found | None:
    """Classification: one row of scores, then a Softmax, Sigmoid, ArgMax or TopK."""
    plain = len(tail.sources) == 1 and not tail.maps and all(node.op in _OF_LOGITS for node in tail.nodes)
    if not plain or tail.sources[0].value.rank == len("NQC"):
        return None
    return Found("classification", ((tail.sources[0], "score"),), tail.sources[0].channels)


FAMILIES: Mapping[str, Callable[[Tail], Found | None]] = {
    "yolo-dfl": dfl,
    "yolo-anchor": anchored,
    "yolo-ltrb": ltrb,
    "yolox": yolox,
    "fcos": fcos,
    "ssd": ssd,
    "retinanet": retinanet,
    "detr": detr,
    "segmentation": segmentation,
    "classification": classification,
}
"""Recognisers by name of the family."""
