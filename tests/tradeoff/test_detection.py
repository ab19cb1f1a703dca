"""Mean average precision, on boxes whose precision can be worked out by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surgery.drift.figures import values
from surgery.drift.inputs import InputSet
from surgery.errors import InputError
from surgery.tradeoff.detection import Detection, Truth
from surgery.tradeoff.evaluators import ready

BOX = np.array([10.0, 10, 20, 20])
SAMPLES = [{"x": np.full((1, 1), float(at))} for at in range(4)]


def truth(images: list[int], boxes: Any = None, crowd: Any = None) -> Truth:
    count = len(images)
    known = np.tile(BOX, (count, 1)) if boxes is None else np.asarray(boxes, float)
    return Truth(known, np.zeros(count, int), np.array(images), np.zeros(count, bool) if crowd is None else crowd)


class Finds:
    """Detects ``boxes`` by number of the image, in rows that are filled up with nothing, most certain first."""

    def __init__(self, **boxes: list[Any]) -> None:
        self.boxes = {int(name.removeprefix("at")): rows for name, rows in boxes.items()}

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        rows = [*self.boxes.get(int(feeds["x"][0, 0]), []), np.zeros(4), np.zeros(4)][:2]
        scores = np.array([0.9 if row.any() else 0.0 for row in rows])
        return {"boxes": np.array([rows]), "scores": scores[None], "classes": np.zeros((1, 2), np.float32)}


def test_what_is_found_where_it_is() -> None:
    measure = Detection(SAMPLES[:2], truth([0, 1]))
    assert values(measure(Finds(at0=[BOX], at1=[BOX]))) == pytest.approx({"map": 1.0, "map-50": 1.0})
    assert values(measure(Finds())) == {"map": 0.0, "map-50": 0.0}


def test_half_of_all_boxes_and_a_box_that_is_off() -> None:
    half = values(Detection(SAMPLES[:2], truth([0, 1]))(Finds(at0=[BOX])))
    assert half == pytest.approx({"map": 51 / 101, "map-50": 51 / 101})
    off = values(Detection(SAMPLES[:1], truth([0]))(Finds(at0=[BOX - [0, 0, 0, 2.2]])))
    assert off == pytest.approx({"map": 0.6, "map-50": 1.0})  # IoU 0.78: right at 0.5 to 0.75 of ten thresholds


def test_a_crowd_need_not_be_found() -> None:
    measure = Detection(SAMPLES[:2], truth([0, 1], crowd=np.array([False, True])))
    assert values(measure(Finds(at0=[BOX])))["map"] == pytest.approx(1.0)


def test_the_samples_are_those_of_leaving_each_image_out() -> None:
    found = Finds(at0=[BOX], at1=[BOX + 50.0], at2=[BOX])
    whole = Detection(SAMPLES[:3], truth([0, 1, 2]))(found)["map-50"]
    left = [
        Detection([s for s in SAMPLES[:3] if s is not SAMPLES[out]], truth([0, 1]))(found)["map-50"].value
        for out in range(3)
    ]
    assert whole.samples == pytest.approx([3 * whole.value - 2 * each for each in left])
    assert whole.count == 3


def test_many_images_are_left_out_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surgery.tradeoff.detection.PARTS", 2)
    found = Detection(SAMPLES, truth([0, 1, 2, 3]))(Finds(at0=[BOX], at2=[BOX]))["map"]
    assert found.samples == pytest.approx((2 * 51 / 101, 2 * 51 / 101 - 1))  # without 0 and 2: 0; without 1 and 3: 1
    assert found.count == 4


def test_outputs_that_have_other_names_or_are_decoded() -> None:
    class Unnamed(Finds):
        def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
            return dict(zip("abc", super().run(feeds).values(), strict=True))

    class Packed(Finds):
        def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
            rows = super().run(feeds)
            return {"y": np.concatenate([rows["boxes"][0], rows["scores"].T, rows["classes"].T], axis=1)}

    def decode(outputs: Any) -> tuple[Any, Any, Any]:
        return outputs["y"][:, :4], outputs["y"][:, 4], outputs["y"][:, 5]

    assert values(Detection(SAMPLES[:1], truth([0]))(Unnamed(at0=[BOX])))["map"] == pytest.approx(1.0)
    assert values(Detection(SAMPLES[:1], truth([0]), decode)(Packed(at0=[BOX])))["map"] == pytest.approx(1.0)
    with pytest.raises(InputError, match="1 outputs are no boxes, scores and classes"):
        Detection(SAMPLES[:1], truth([0]))(Packed(at0=[BOX]))


def test_outputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match=r"of shapes 1x5x2, 1x2, 1x2 are none of(?s:.*)--decode"):
        Detection(SAMPLES[:1], truth([0]), lambda _: (np.zeros((5, 2)), np.zeros(2), np.zeros(2)))(Finds())


def saved(folder: Path, **changes: Any) -> Path:
    arrays = {"boxes": BOX[None], "classes": np.array([3]), "images": np.array([0]), **changes}
    np.savez(folder / "l.npz", **{name: array for name, array in arrays.items() if array is not None})
    return folder / "l.npz"


def test_labels_of_an_npz(tmp_path: Path) -> None:
    measure = ready("detection", InputSet(SAMPLES), saved(tmp_path))
    assert isinstance(measure, Detection)
    assert (measure.truth.classes.tolist(), measure.truth.crowd.tolist()) == ([3], [False])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"boxes": None}, "no data for input 'boxes'"),
        ({"boxes": np.zeros((1, 5))}, "boxes of shape 1x5 are none of M x 4"),
        ({"classes": np.array([3, 3])}, "1 boxes, and classes of shape 2"),
        ({"crowd": np.array([True, False])}, "1 boxes, and crowd of shape 2"),
        ({"classes": np.array([0.5])}, "classes and images are whole numbers"),
        ({"images": np.array([4])}, "boxes of images 4 to 4, and 4 samples, from 0"),
        ({"images": np.array([-1])}, "boxes of images -1 to -1, and 4 samples"),
        ({"boxes": BOX[None, [2, 3, 0, 1]]}, "a box ends before it begins"),
        ({"crowd": np.array([True])}, "there is no box to find"),
    ],
)
def test_labels_that_are_none_are_refused(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        ready("detection", InputSet(SAMPLES), saved(tmp_path, **changes))


def test_what_is_needed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = InputSet(SAMPLES)
    with pytest.raises(InputError, match=r"--labels F\.npz, with boxes, classes and images"):
        ready("detection", data, None)
    with pytest.raises(InputError, match="boxes come in an npz"):
        ready("detection", data, tmp_path / "l.npy")
    with pytest.raises(InputError, match="--decode: top-k decodes nothing"):
        ready("top-k", data, tmp_path / "l.npy", lambda _: (BOX, BOX, BOX))
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(InputError, match=r"(?s)pycocotools is not installed.*pip install 'surgery\[detection\]'"):
        ready("detection", data, saved(tmp_path))
