"""What a pass knows of a head that it cut: what each tensor holds, and what decoding takes."""

from __future__ import annotations

from dataclasses import dataclass

Anchors = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class HeadPart:
    """One tensor of a head.

    Attributes:
        tensor: its name as an output of the model.
        role: ``class``, ``box``, ``object``, ``mask``, ``keypoint``, ``angle``, ``prototype``, ``all`` (box, object and
            classes in one), ``score``, ``logits``.
        stride: pixels of the picture per place; None where there are no places.
        layout: ``NCHW`` or ``NHWC``; None for what is no map.
    """

    tensor: str
    role: str
    stride: int | None = None
    layout: str | None = None


@dataclass(frozen=True)
class Head:
    """A head, as far as the graph says.

    Attributes:
        family: as ``cut-heads`` names it.
        parts: its tensors in the order of the model's outputs.
        classes: how many.
        reg_max: bins per side of a box, where these are distributions (DFL).
        anchors: widths and heights in pixels, per stride.
    """

    family: str
    parts: tuple[HeadPart, ...]
    classes: int | None = None
    reg_max: int | None = None
    anchors: tuple[Anchors, ...] = ()
