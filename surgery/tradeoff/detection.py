"""Detections against boxes that are known: mean average precision as pycocotools computes it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from surgery.drift.figures import Figure
from surgery.drift.given import read_given
from surgery.errors import InputError

Array: TypeAlias = "np.ndarray[Any, Any]"
Detected: TypeAlias = "tuple[Array, Array, Array]"
"""Boxes [B, K, 4], scores [B, K] and classes [B, K] of the B images of a sample; without B where it is 1."""
Decode: TypeAlias = "Callable[[Mapping[str, Array]], Detected]"
NAME = "detection"
ENDS = ("boxes", "scores", "classes")
PARTS = 50
"""Equal parts of the images that are left out one after the other, at most: each costs an evaluation of all others."""
MOST = 100
"""Detections of an image that count, those of the highest scores."""


@dataclass(frozen=True)
class Truth:
    """The boxes that are known.

    Attributes:
        boxes: float [M, 4], left, top, right and bottom in pixels of the model's input.
        classes: integers [M].
        images: integers [M], the number of the sample that each is in, from 0.
        crowd: truths [M]: a box around many, which nobody has to find.
    """

    boxes: Array
    classes: Array
    images: Array
    crowd: Array

    @classmethod
    def read(cls, path: str | PathLike[str], count: int) -> Truth:
        """Those of an npz for ``count`` images, which has an array for each attribute; ``crowd`` may be left out.

        Raises:
            InputError: an array is missing or does not fit the others, or a box is of an image that is not there.
        """
        given = read_given(path, ("boxes", "classes", "images")).arrays
        boxes, classes, images = (np.asarray(given[name][0]) for name in ("boxes", "classes", "images"))
        crowd = np.asarray(given["crowd"][0]) if "crowd" in given else np.zeros(len(classes), bool)
        found = cls(boxes.astype(np.float64), classes, images, crowd.astype(bool))
        if problem := found._problem(count):
            raise InputError(problem, where=f"--labels {path}")
        return found

    def _problem(self, count: int) -> str:
        rows = len(self.boxes)
        if self.boxes.shape != (rows, 4):
            return f"boxes of shape {'x'.join(map(str, self.boxes.shape))} are none of M x 4"
        for name in ("classes", "images", "crowd"):
            if (found := getattr(self, name)).shape != (rows,):
                return f"{rows} boxes, and {name} of shape {'x'.join(map(str, found.shape))}"
        if not (np.issubdtype(self.classes.dtype, np.integer) and np.issubdtype(self.images.dtype, np.integer)):
            return "classes and images are whole numbers"
        if rows and not (self.images.min() >= 0 and self.images.max() < count):
            return f"boxes of images {self.images.min()} to {self.images.max()}, and {count} samples, from 0"
        if rows == 0 or self.crowd.all():
            return "there is no box to find"
        if not (self.boxes[:, 2:] > self.boxes[:, :2]).all():
            return "a box ends before it begins: left, top, right, bottom"
        return ""


@dataclass(frozen=True)
class Detection:
    """Detection: ``map``, the average precision over classes and IoU of 0.5 to 0.95, and ``map-50``, that at 0.5.

    Samples are those of the jackknife over at most 50 equal parts of the images.

    Attributes:
        samples: arrays as the model takes them.
        truth: what is in them.
        decode: from the outputs of a sample to what it detects, after non-maximum suppression; None for a model whose
            outputs say so: ``boxes``, ``scores`` and ``classes``, by name or else in this order. Detections whose score
            is not above 0 are none.
    """

    samples: Sequence[Mapping[str, Array]]
    truth: Truth
    decode: Decode | None = None

    def __call__(self, runner: Any) -> dict[str, Figure]:
        """Both figures, 0 to 1."""
        found = [each for sample in self.samples for each in self._detected(runner.run(sample))]
        with redirect_stdout(io.StringIO()):  # pycocotools prints as it goes
            return _figures(self.truth, found)

    def _detected(self, outputs: Mapping[str, Array]) -> list[Detected]:
        """Boxes, scores and classes of each image of a sample."""
        boxes, scores, classes = map(np.asarray, (self.decode or _named)(outputs))
        boxes = boxes.reshape((-1, *boxes.shape[-2:])) if boxes.ndim >= 2 else boxes
        scores, classes = (part.reshape((-1, part.shape[-1])) if part.ndim else part for part in (scores, classes))
        if boxes.ndim != 3 or boxes.shape[2] != 4 or not boxes.shape[:2] == scores.shape == classes.shape:
            shapes = ", ".join("x".join(map(str, part.shape)) for part in (boxes, scores, classes))
            raise InputError(
                f"boxes, scores and classes of shapes {shapes} are none of B x K x 4, B x K and B x K",
                hint="--decode MODULE:FUNCTION makes them from the outputs",
            )
        return list(zip(boxes, scores, classes, strict=True))


def need_pycocotools() -> None:
    """Raise InputError where pycocotools is not installed."""
    try:
        import pycocotools  # noqa: F401  # whether it is there is asked
    except ImportError as error:
        raise InputError(
            "pycocotools is not installed", where="--eval detection", hint="pip install 'surgery[detection]'"
        ) from error


def detection(samples: Sequence[Mapping[str, Array]], labels: str | PathLike[str], decode: Decode | None) -> Detection:
    """The measure over ``samples``, with the boxes of an npz.

    Raises:
        InputError: no pycocotools, or labels that are none.
    """
    need_pycocotools()
    if Path(labels).suffix != ".npz":
        raise InputError(
            "boxes come in an npz", where=f"--labels {labels}", hint="arrays boxes, classes, images and crowd"
        )
    return Detection(samples, Truth.read(labels, sum(_batch(sample) for sample in samples)), decode)


def _batch(sample: Mapping[str, Array]) -> int:
    first = next(iter(sample.values()))
    return int(first.shape[0]) if first.ndim else 1


def _named(outputs: Mapping[str, Array]) -> Detected:
    names = ENDS if set(ENDS) <= set(outputs) else tuple(outputs)[:3]
    if len(names) < 3:
        raise InputError(
            f"{len(names)} outputs are no boxes, scores and classes", hint="--decode MODULE:FUNCTION makes them"
        )
    return outputs[names[0]], outputs[names[1]], outputs[names[2]]


def _figures(truth: Truth, found: Sequence[Detected]) -> dict[str, Figure]:
    from pycocotools.cocoeval import COCOeval

    count = len(found)
    known, detected = _dataset(truth, count), _results(found)
    judged = COCOeval(_coco(known, known["annotations"]), _coco(known, detected), "bbox")
    judged.params.areaRng, judged.params.areaRngLbl, judged.params.maxDets = [[0, 1e10]], ["all"], [MOST]
    judged.evaluate()
    each = list(judged.evalImgs)  # by class and image, images last
    parts = min(PARTS, count)

    def without(part: int) -> tuple[float, float]:
        judged.evalImgs = [None if at % count % parts == part else one for at, one in enumerate(each)]
        judged.accumulate()
        return _precision(judged.eval["precision"])

    whole = without(parts)
    left = np.array([without(part) for part in range(parts)]) if parts > 1 else np.zeros((0, 2))
    return {name: Figure.left_out(whole[at], left[:, at], of=count) for at, name in enumerate(("map", "map-50"))}


def _precision(found: Array) -> tuple[float, float]:
    """From precision by IoU, recall, class, area and limit, -1 where there is nothing to find."""
    all_, half = found[found > -1], found[0][found[0] > -1]
    return (float(all_.mean()), float(half.mean())) if all_.size else (0.0, 0.0)


def _coco(known: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]]) -> Any:
    from pycocotools.coco import COCO

    made = COCO()
    made.dataset = {**known, "annotations": list(annotations)}
    made.createIndex()
    return made


def _dataset(truth: Truth, count: int) -> dict[str, Any]:
    rows = zip(truth.images, truth.classes, truth.boxes, truth.crowd, strict=True)
    return {
        "images": [{"id": at} for at in range(count)],
        "categories": [{"id": int(kind)} for kind in np.unique(truth.classes)],
        "annotations": [
            {**_annotation(number, int(image), int(kind), box), "iscrowd": int(crowd)}
            for number, (image, kind, box, crowd) in enumerate(rows, 1)
        ],
    }


def _results(found: Sequence[Detected]) -> list[dict[str, Any]]:
    rows = [(at, *row) for at, each in enumerate(found) for row in zip(*each, strict=True) if row[1] > 0]
    return [
        {**_annotation(number, image, int(kind), box), "score": float(score)}
        for number, (image, box, score, kind) in enumerate(rows, 1)
    ]


def _annotation(number: int, image: int, kind: int, box: Array) -> dict[str, Any]:
    """A box as COCO has it: left, top, width and height; numbers begin at 1, as 0 stands for none."""
    left, top, right, bottom = (float(end) for end in box)
    width, height = right - left, bottom - top
    place = {"bbox": [left, top, width, height], "area": width * height}
    return {"id": number, "image_id": image, "category_id": kind, **place}
