"""The ready measures, on numbers that can be checked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surgery.drift.figures import Figure, values
from surgery.drift.inputs import InputSet
from surgery.errors import InputError
from surgery.tradeoff.evaluators import READY, Agreement, Labelled, MeanIou, Regression, TopK, read_labels, ready


class Says:
    """Gives back what it is fed, under another name."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        return {"y": feeds["x"] * self.factor}


def rows(*values: Any) -> list[dict[str, Any]]:
    return [{"x": np.asarray([value])} for value in values]


def test_top_k() -> None:
    scores = np.eye(12, dtype=np.float32)[[3, 4, 5]] + np.arange(12) * 1e-3
    data = Labelled(rows(*scores), np.array([3, 11, 0]))
    found = TopK(data)(Says())
    assert values(found) == {"top-1": pytest.approx(1 / 3), "top-5": pytest.approx(2 / 3)}
    assert found["top-1"].samples == (1.0, 0.0, 0.0)
    assert found["top-5"].samples == (1.0, 1.0, 0.0)


def test_top_k_of_few_classes_and_of_pixels_of_one() -> None:
    data = Labelled(rows(np.array([[[0.1]], [[0.9]]])), np.array([1]))
    assert TopK(data)(Says()) == {"top-1": Figure(1.0, (1.0,))}


def test_scores_of_no_class_are_refused() -> None:
    with pytest.raises(InputError, match="scores of shape 1x2x4 are none of N x classes"):
        TopK(Labelled(rows(np.zeros((2, 4))), np.array([0])))(Says())


@pytest.mark.parametrize("scored", [True, False])
def test_mean_iou(scored: bool) -> None:
    classes = np.array([[0, 0], [1, 1]])
    fed = np.stack([classes == 0, classes == 1]).astype(np.float32) if scored else classes
    labels = np.array([[[0, 1], [1, 255]]])
    assert values(MeanIou(Labelled(rows(fed), labels))(Says())) == {"mean-iou": pytest.approx((1 / 2 + 1 / 2) / 2)}


def test_the_samples_of_mean_iou_are_those_of_leaving_each_out() -> None:
    found, labels = np.array([[0, 1], [1, 1], [0, 0]]), np.array([[0, 1], [0, 1], [2, 0]])

    def over(kept: list[int]) -> float:
        return MeanIou(Labelled(rows(*found[kept]), labels[kept]))(Says())["mean-iou"].value

    whole = over([0, 1, 2])
    left = [over([1, 2]), over([0, 2]), over([0, 1])]
    figure = MeanIou(Labelled(rows(*found), labels))(Says())["mean-iou"]
    assert figure.value == whole
    assert figure.samples == pytest.approx([3 * whole - 2 * each for each in left])


def test_classes_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="classes of shape 1x2x2, labels of 1x3x3"):
        MeanIou(Labelled(rows(np.zeros((2, 2), int)), np.zeros((1, 3, 3), int)))(Says())


def test_regression() -> None:
    data = Labelled(rows([1.0], [2.0], [3.0]), np.array([1.0, 2.0, 4.0]))
    found = Regression(data)(Says())
    assert values(found) == pytest.approx({"mae": 1 / 3, "rmse": np.sqrt(1 / 3), "r2": 1 - 1 / (14 / 3)})
    assert found["mae"].samples == (0.0, 0.0, 1.0)
    assert found["rmse"].samples == pytest.approx([np.sqrt(3) - 2 * np.sqrt(0.5)] * 2 + [np.sqrt(3)])


def test_regression_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="outputs of shape 1x2, labels of 1x1"):
        Regression(Labelled(rows([1.0, 2.0]), np.array([1.0])))(Says())


def test_agreement_with_the_original() -> None:
    samples = rows([1.0, 2.0], [-3.0, 1.0])
    measure = Agreement.with_original(Says(), samples)
    assert values(measure(Says())) == {"cosine": pytest.approx(1.0), "psnr_db": pytest.approx(200.0)}
    half = values(measure(Says(0.5)))
    assert half["cosine"] == pytest.approx(1.0)
    assert half["psnr_db"] == pytest.approx(10 * np.log10(25 / (15 / 4 / 4)))
    assert values(measure(Says(-1)))["cosine"] == pytest.approx(-1.0)
    nothing = Agreement.with_original(Says(0), samples)
    assert [values(nothing(Says(factor)))["cosine"] for factor in (0, 1)] == [1.0, 0.0]


@pytest.mark.parametrize("name", READY)
def test_labels_and_samples_of_different_length(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "l.npy", np.zeros(3))
    with pytest.raises(InputError, match="3 labels for 2 samples"):
        ready(name, InputSet(rows([1.0], [2.0])), tmp_path / "l.npy")


def test_what_is_no_ready_measure_and_labels_that_are_not_there(tmp_path: Path) -> None:
    data = InputSet(rows([1.0]))
    with pytest.raises(InputError, match="did you mean top-k"):
        ready("topk", data, None)
    with pytest.raises(InputError, match="top-k needs labels"):
        ready("top-k", data, None)
    with pytest.raises(InputError, match="no such file"):
        ready("top-k", data, tmp_path / "l.npy")
    (tmp_path / "l.npy").write_bytes(b"no numbers")
    with pytest.raises(InputError, match="not readable as numpy data"):
        ready("top-k", data, tmp_path / "l.npy")


def test_labels_in_an_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", what=np.arange(3))
    np.savez(tmp_path / "two.npz", labels=np.arange(4), more=np.zeros(1))
    np.savez(tmp_path / "bad.npz", label=np.arange(4), more=np.zeros(1))
    assert [len(read_labels(tmp_path / name)) for name in ("one.npz", "two.npz")] == [3, 4]
    with pytest.raises(InputError, match="did you mean label"):
        read_labels(tmp_path / "bad.npz")
