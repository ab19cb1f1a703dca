"""Pruning, measured: accuracy at 30, 50 and 70 % of the multiply-accumulates gone, cut only and fitted afterwards.

    python scripts/bench_prune.py

Two classifiers of digits. The one shipped here, on its 360 held-out images: layers are fitted on one half, the accuracy
is of the other half, and the other way round. And ``r_digits_repvgg`` of the corpus where that is there: fitted on 512
training images, the accuracy is of the 500 of its test part. Beside them the L2 pruning of torch-pruning without
training, where torch and torch-pruning are installed: the better of the same share in every layer and one threshold
everywhere. No labels are used to choose or to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.pipeline import Pipeline
from surgery.pipeline.manager import Manager
from surgery.pipeline.result import Status

ROOT = Path(__file__).parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "real"
RATIOS = (0.3, 0.5, 0.7)
KINDS = ("l2", "activation")
BEFORE = ("fold-constants", "remove-noops", "fuse-batchnorm", "canonical-activations")
FITTED = 512
"""Training images of the corpus's classifier that are fitted on."""

Array: TypeAlias = "np.ndarray[Any, Any]"
Run: TypeAlias = "Callable[[Array], Array]"


@dataclass(frozen=True)
class Fold:
    """Images to fit on, and images with labels to measure on."""

    fit: Array
    images: Array
    labels: Array


@dataclass(frozen=True)
class Task:
    """A classifier: its model without what surrounds the network, the folds, and the classes of its output."""

    name: str
    model: Model
    folds: tuple[Fold, ...]
    classes: Callable[[Array], Array]

    def accuracy(self, run: Run, fold: Fold) -> float:
        """Share of the fold's images whose class is right."""
        guesses = [int(self.classes(run(image[None])).argmax()) for image in fold.images]
        return float(np.mean(guesses == fold.labels))


def tasks() -> Iterator[Task]:
    """The classifiers that are there."""
    with np.load(ROOT / "models" / "digits.npz") as data:
        images, labels = data["image"], np.load(ROOT / "models" / "digits.labels.npy")
    halves = [(images[i::2], labels[i::2]) for i in (0, 1)]
    folds = tuple(Fold(halves[1 - i][0], *halves[i]) for i in (0, 1))
    shipped = prepared(ROOT / "models" / "digits.onnx", "strip-io-nodes")
    yield Task("digits", shipped, folds, lambda y: y.reshape(2, 10, -1).mean(axis=(0, 2)))
    if (CORPUS / "digits.npz").is_file():
        with np.load(CORPUS / "digits.npz") as data:
            fold = Fold(enlarged(data["x_train"][:FITTED]), enlarged(data["x_test"]), data["y_test"])
        yield Task("r_digits_repvgg", prepared(CORPUS / "r_digits_repvgg_op13.onnx"), (fold,), lambda y: y)


def enlarged(images: Array) -> Array:
    """Images [N,1,8,8] as [N,1,32,32], bilinear with the centres of pixels in place (torch's align_corners=False)."""
    at = np.clip((np.arange(32) + 0.5) / 4 - 0.5, 0, 7)
    low = np.floor(at).astype(int)
    high, share = np.minimum(low + 1, 7), (at - low).astype(images.dtype)
    rows = images[:, :, low] * (1 - share)[:, None] + images[:, :, high] * share[:, None]
    large: Array = rows[..., low] * (1 - share) + rows[..., high] * share
    return large


def prepared(path: Path, *more: str) -> Model:
    """The model with batch normalisation fused."""
    model = Model.load(path)
    Manager(model).run([(s.id, s.step) for s in Pipeline.of(*BEFORE, *more).steps])
    return model


def pruned(task: Task, fold: Fold, ratio: float, kind: str, *, refit: bool) -> Run:
    """The model of ``task`` without ``ratio`` of its multiply-accumulates."""
    name = task.model.graph.inputs[0].name
    manager = Manager(task.model.copy(), samples=[{name: image[None]} for image in fold.fit])
    options = {"mode": "prune", "ratio": ratio, "importance": kind, "refit": refit}
    (step,) = Pipeline.of({"clamp-conv-channels": options}).steps
    result = manager.run([(step.id, step.step)])[-1]
    if result.status is not Status.APPLIED:
        raise SystemExit(f"{task.name}: {result.status}, {result.reason}")
    return runs(manager.model)


def runs(model: Model) -> Run:
    """The first output of ``model`` for its first input."""
    session, name = open_session(model), model.graph.inputs[0].name
    return lambda batch: next(iter(session.run({name: batch}).values()))


def peers(task: Task, ratio: float) -> list[float]:
    """The accuracies of torch-pruning, same share everywhere and one threshold; none where it is not installed."""
    if find_spec("torch_pruning") is None:
        return []
    import prune_torch

    x = task.folds[0].images[:1]
    return [mean(task, [prune_torch.pruned(task.model, x, 1 - ratio, everywhere=each)]) for each in (False, True)]


def ours(task: Task, ratio: float, kind: str, *, refit: bool) -> float:
    """The accuracy of what is left by this project."""
    return mean(task, [pruned(task, fold, ratio, kind, refit=refit) for fold in task.folds])


def mean(task: Task, made: Sequence[Run]) -> float:
    """The accuracy over all folds of what was made for each, or of the one for all."""
    return float(np.mean([task.accuracy(run, fold) for run, fold in zip(cycle(made), task.folds, strict=False)]))


def rows(task: Task, whole: float) -> Iterator[tuple[str, ...]]:
    """The cells of the table of ``task``, whose accuracy is ``whole`` before."""
    for ratio in RATIOS:
        other = peers(task, ratio)
        peer = f"{100 * max(other):.2f} %" if other else "not installed"
        for kind in KINDS:
            cut, fitted = (ours(task, ratio, kind, refit=refit) for refit in (False, True))
            share = (whole - fitted) / (whole - cut) if cut < whole else 0.0
            yield f"{100 * ratio:.0f} %", kind, f"{100 * cut:.2f} %", f"{100 * fitted:.2f} %", f"{share:.3f}", peer


def main() -> None:
    """Print a table per classifier."""
    for task in tasks():
        whole = mean(task, [runs(task.model)])
        print(f"\n{task.name}: accuracy {100 * whole:.2f} %\n")
        print("| MACs gone | importance | cut only | fitted | drop fitted / cut only | torch-pruning L2 |")
        print("|---|---|---|---|---|---|", flush=True)
        for cells in rows(task, whole):
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
