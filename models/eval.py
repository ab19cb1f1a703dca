"""The evaluator of ``digits.onnx``: which held-out digits it gets right.

Use it as ``surgery run models/digits.onnx --eval models.eval:accuracy ...``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

Feeds = Mapping[str, np.ndarray[Any, Any]]
HERE = Path(__file__).parent


class Session(Protocol):
    """What runs a model: ``run(feeds)`` gives its outputs by name."""

    def run(self, feeds: Feeds) -> Feeds:
        """Outputs by name, for inputs by name."""


def held_out() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The digits that training never saw: images [360,1,8,8] float32 in 0..1, labels [360] int64 in 0..9."""
    with np.load(HERE / "digits.npz") as inputs:
        return inputs["image"], np.load(HERE / "digits.labels.npy")


def accuracy(runner: Callable[[Feeds], Feeds] | Session) -> dict[str, np.ndarray[Any, Any]]:
    """Which of the held-out digits have the highest mean score for their class: ``{"accuracy": bool [360]}``.

    ``runner`` is a function from inputs by name to outputs by name, or an object with such a ``run``. The scores
    [1,2,4,4,10] are one vote of ten classes per anchor and cell, as a detection head gives them.
    """
    run = cast("Callable[[Feeds], Feeds]", getattr(runner, "run", runner))
    images, labels = held_out()
    scores = [next(iter(run({"image": image[None]}).values())) for image in images]
    guesses = [int(score.astype(np.float64).mean(axis=(0, 1, 2, 3)).argmax()) for score in scores]
    return {"accuracy": labels == guesses}
