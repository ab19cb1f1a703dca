"""Decoding of DFL heads for the places over a threshold alone, compared before anything is dequantised.

The graph decodes every place; an application wants those that score. What is printed here decodes those, from maps
of floats or of the integers that the BPU gives. It is only printed where, for every place, it agrees with the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from surgery.drift.metrics import Array
from surgery.host.names import python_text
from surgery.host.program import Program
from surgery.host.step import Slot
from surgery.pipeline.heads import Head, HeadPart

FAMILY = "yolo-dfl"
COORDINATES = 4

PYTHON = '''

def detect(outputs, threshold, scales=None):
    """Boxes, scores and classes of the places whose best class scores at least ``threshold``.

    Logits are compared as they are, integers before they are dequantised: ``scales`` holds (scale, zero point) by name
    of such outputs. Boxes are decoded of these places alone, in the form that the graph gave them.
    """
    scales = scales or {}
    found = []
    with np.errstate(all="ignore"):
        limit = np.log(threshold) - np.log1p(-threshold)
        for stride, width, (scores_name, scores_last), (sides_name, sides_last) in LEVELS:
            scores, sides = outputs[scores_name], outputs[sides_name]
            scores = scores.reshape(-1, CLASSES) if scores_last else scores.reshape(CLASSES, -1).T
            sides = sides.reshape(-1, 4 * BINS) if sides_last else sides.reshape(4 * BINS, -1).T
            scale, zero = scales.get(scores_name, (1.0, 0))
            category = scores.argmax(axis=1)
            top = scores[np.arange(len(scores)), category]
            places = np.flatnonzero(top >= limit / scale + zero)
            logits = (top[places].astype(np.float32) - np.float32(zero)) * np.float32(scale)
            scale, zero = scales.get(sides_name, (1.0, 0))
            bins = (sides[places].astype(np.float32) - np.float32(zero)) * np.float32(scale)
            bins = bins.reshape(-1, 4, BINS)
            weights = np.exp(bins - bins.max(axis=2, keepdims=True))
            distances = (weights * np.arange(BINS, dtype=np.float32)).sum(axis=2) / weights.sum(axis=2)
            centres = np.stack([places % width, places // width], axis=1).astype(np.float32) + np.float32(0.5)
            low, high = centres - distances[:, :2], centres + distances[:, 2:]
            pair = ((low + high) / 2, high - low) if CENTRED else (low, high)
            scores = 1 / (1 + np.exp(-logits))
            found.append((np.concatenate(pair, axis=1) * np.float32(stride), scores, category[places]))
    return tuple(np.concatenate(parts) for parts in zip(*found))
'''


@dataclass(frozen=True)
class Detection:
    """A head that is decoded place by place.

    Attributes:
        levels: stride, class map and box map, in the order of the places.
        centred: whether boxes are centre and size, rather than two corners.
    """

    levels: tuple[tuple[int, HeadPart, HeadPart], ...]
    classes: int
    bins: int
    centred: bool = False

    def python(self, slots: Mapping[str, Slot]) -> str:
        """The function and what drives it."""
        rows = [f"    ({stride}, {_size(slots, s)[1]}, {_named(s)}, {_named(b)})," for stride, s, b in self.levels]
        table = "\n".join(["LEVELS = (", *rows, ")"])
        return f"\n\nCLASSES, BINS, CENTRED = {self.classes}, {self.bins}, {self.centred}\n{table}\n{PYTHON}"

    def cpp(self, program: Program) -> str:
        """The same in C++."""
        order = {slot.name: place for place, slot in enumerate(program.inputs)}
        slots = {slot.name: slot for slot in program.inputs}
        rows = []
        for stride, scores, box in self.levels:
            height, width = _size(slots, scores)
            last = ", ".join(str(_last(part)).lower() for part in (scores, box))
            rows.append(f"    {{{stride}, {height}, {width}, {order[scores.tensor]}, {order[box.tensor]}, {last}}},")
        text = (files("surgery.host") / "detect.hpp").read_text("utf-8")
        struct, _, rest = text.partition("template <class T>")
        table = "\n".join(["inline constexpr Level levels[] = {", *rows, "};", "", ""])
        facts = {"MAPS": len(order), "CLASSES": self.classes, "BINS": self.bins, "CENTRED": str(self.centred).lower()}
        for name, value in facts.items():
            rest = rest.replace(name, str(value))
        return f"{struct}{table}template <class T>{rest}"


def detection_of(heads: Sequence[Head], program: Program) -> Detection | None:
    """The one head of ``heads`` as one that can be decoded place by place; None for other families and forms."""
    if len(heads) != 1 or heads[0].family != FAMILY or heads[0].classes is None or heads[0].reg_max is None:
        return None
    head, read = heads[0], {slot.name for slot in program.inputs}
    by_role = {(part.stride, part.role): part for part in head.parts if part.tensor in read}
    strides = sorted({part.stride for part in head.parts if part.stride})
    if any((stride, role) not in by_role for stride in strides for role in ("class", "box")):
        return None
    levels = tuple((s, by_role[s, "class"], by_role[s, "box"]) for s in strides)
    return Detection(levels, head.classes or 0, head.reg_max or 0)


def agrees(found: tuple[Array, Array, Array], decoded: Array, classes: int) -> bool:
    """Whether boxes, best scores and classes of all places are those that the graph decoded, as 1 x (4 + C …) x P."""
    boxes, scores, categories = found
    if decoded.ndim != len("NCP") or decoded.shape[0] != 1 or decoded.shape[1] < COORDINATES + classes:
        return False
    if decoded.shape[2] != len(scores):
        return False
    known = decoded[0, COORDINATES : COORDINATES + classes]
    tied = known[categories, np.arange(len(scores))]
    return (
        np.allclose(boxes, decoded[0, :COORDINATES].T, rtol=1e-4, atol=1e-2)
        and np.allclose(scores, known.max(axis=0), rtol=1e-4, atol=1e-5)
        and np.allclose(tied, known.max(axis=0), rtol=1e-4, atol=1e-5)
    )


def _last(part: HeadPart) -> bool:
    return part.layout == "NHWC"


def _named(part: HeadPart) -> str:
    return f"({python_text(part.tensor)}, {_last(part)})"


def _size(slots: Mapping[str, Slot], part: HeadPart) -> tuple[int, int]:
    """Height and width of a map."""
    shape = slots[part.tensor].shape
    return (shape[1], shape[2]) if _last(part) else (shape[2], shape[3])
