"""The ready measures, on numbers that can be checked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
    assert TopK(data)(Says()) == {"top-1": pytest.approx(1 / 3), "top-5": pytest.approx(2 / 3)}


def test_top_k_of_few_classes_and_of_pixels_of_one() -> None:
    data = Labelled(rows(np.array([[[0.1]], [[0.9]]])), np.array([1]))
    assert TopK(data)(Says()) == {"top-1": 1.0}


def test_scores_of_no_class_are_refused() -> None:
    with pytest.raises(InputError, match="scores of shape 1x2x4 are none of N x classes"):
        TopK(Labelled(rows(np.zeros((2, 4))), np.array([0])))(Says())


@pytest.mark.parametrize("scored", [True, False])
def test_mean_iou(scored: bool) -> None:
    classes = np.array([[0, 0], [1, 1]])
    fed = np.stack([classes == 0, classes == 1]).astype(np.float32) if scored else classes
    labels = np.array([[[0, 1], [1, 255]]])
    assert MeanIou(Labelled(rows(fed), labels))(Says()) == {"mean-iou": pytest.approx((1 / 2 + 1 / 2) / 2)}


def test_classes_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="classes of shape 1x2x2, labels of 1x3x3"):
        MeanIou(Labelled(rows(np.zeros((2, 2), int)), np.zeros((1, 3, 3), int)))(Says())


def test_regression() -> None:
    data = Labelled(rows([1.0], [2.0], [3.0]), np.array([1.0, 2.0, 4.0]))
    found = Regression(data)(Says())
    assert found == pytest.approx({"mae": 1 / 3, "rmse": np.sqrt(1 / 3), "r2": 1 - 1 / (14 / 3)})


def test_regression_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="outputs of shape 1x2, labels of 1x1"):
        Regression(Labelled(rows([1.0, 2.0]), np.array([1.0])))(Says())


def test_agreement_with_the_original() -> None:
    samples = rows([1.0, 2.0], [-3.0, 1.0])
    measure = Agreement.with_original(Says(), samples)
    assert measure(Says()) == {"cosine": pytest.approx(1.0), "psnr_db": 200.0}
    half = measure(Says(0.5))
    assert half["cosine"] == pytest.approx(1.0)
    assert half["psnr_db"] == pytest.approx(10 * np.log10(25 / (15 / 4 / 4)))
    assert measure(Says(-1))["cosine"] == pytest.approx(-1.0)


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
