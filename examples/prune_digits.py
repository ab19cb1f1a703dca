"""Trains a classifier of digits, prunes it to half of its predicted latency, and trains on with what is left.

    pip install 'surgery[training]' scikit-learn
    python examples/prune_digits.py

Accuracy is that on 360 digits that neither training nor pruning saw. A latency penalty presses channels that cost time
towards zero while the network is trained at first. Seeded: the same versions on the same machine print the same.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import surgery
from surgery.report import CostDocument
from surgery.training import LatencyPenalty, apply_plan, prune

MARCH, SEED, BATCH, HELD_OUT = "X3", 0, 64, 360
PENALTY = 1e-4
"""Loss per predicted microsecond of channels whose normalisation has a scale of 1."""


class Block(nn.Sequential):
    """Convolution, normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, padding: int = 0) -> None:
        conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Net(nn.Module):
    """Images [N,1,8,8] to class scores [N,10]: a residual block, and most of the weights behind the last map."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.stem, self.down = Block(1, 32, 3, padding=1), Block(32, 64, 3, 2, 1)
        self.residual = Block(64, 64, 3, padding=1)
        self.wide = nn.Sequential(Block(64, wide, 4), nn.Dropout(0.2), Block(wide, wide, 1), nn.Dropout(0.2))
        self.head = nn.Linear(wide, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores, before softmax."""
        x = self.down(self.stem(x))
        scores: Tensor = self.head(self.wide(x + self.residual(x)).flatten(1))
        return scores


@dataclass(frozen=True)
class Digits:
    """scikit-learn's digits: images [N,1,8,8] in 0..1 and labels [N], to train on and held out."""

    images: Tensor
    labels: Tensor
    held_images: Tensor
    held_labels: Tensor


def digits(most: int) -> Digits:
    """All of them, at most ``most`` to train on, shuffled once."""
    data = load_digits()
    order = np.random.default_rng(SEED).permutation(len(data.target))
    images = torch.tensor(data.images[order] / 16, dtype=torch.float32)[:, None]
    labels = torch.tensor(data.target[order], dtype=torch.int64)
    train = slice(0, min(most, len(order) - HELD_OUT))
    return Digits(images[train], labels[train], images[-HELD_OUT:], labels[-HELD_OUT:])


def moved(images: Tensor) -> Tensor:
    """The images, all moved the same way by at most one pixel."""
    padded = functional.pad(images, (1, 1, 1, 1))
    top, left = (int(v) for v in torch.randint(0, 3, (2,)))
    return padded[:, :, top : top + 8, left : left + 8]


def train(net: Net, data: Digits, epochs: int, rate: float, penalty: LatencyPenalty | None = None) -> None:
    """Train ``net`` in place."""
    optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    net.train()
    for _ in range(epochs):
        for index in torch.randperm(len(data.images)).split(BATCH):
            optimiser.zero_grad()
            loss = functional.cross_entropy(net(moved(data.images[index])), data.labels[index], label_smoothing=0.05)
            if penalty is not None:
                loss = loss + PENALTY * penalty(net)
            loss.backward()
            optimiser.step()
        schedule.step()


def accuracy(net: Net, data: Digits) -> float:
    """Percent of the held-out digits whose class is right."""
    net.eval()
    with torch.no_grad():
        right = net(data.held_images).argmax(dim=1) == data.held_labels
    return float(100 * right.float().mean())


def latency(net: Net, example: Tensor) -> float:
    """Predicted milliseconds."""
    document: CostDocument = surgery.cost(net, march=MARCH, example=example)
    if document.latency_ms is None or document.latency_ms.mid is None:
        raise SystemExit(f"{MARCH} has no cost coefficients")
    return document.latency_ms.mid


def main() -> None:
    """Train, prune, train on; print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=6, help="of the first training")
    parser.add_argument("--tune", type=int, default=6, help="epochs after pruning")
    parser.add_argument("--wide", type=int, default=2048, help="channels of the widest layers")
    parser.add_argument("--images", type=int, default=1437, help="to train on, at most")
    parser.add_argument("--share", type=float, default=0.5, help="of the predicted latency that is to be left")
    asked = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)

    data, net = digits(asked.images), Net(asked.wide)
    example = data.images[:1]
    train(net, data, asked.epochs, 2e-3, LatencyPenalty(net, example, march=MARCH))
    whole, before = accuracy(net, data), latency(net, example)
    print(f"trained     {before:.3f} ms predicted on {MARCH}, {whole:.2f} % right")

    samples = data.images[:64].split(1)
    found = prune(net, example, march=MARCH, target_latency_ms=asked.share * before, samples=samples)
    apply_plan(net, found.plan, example)
    after = latency(net, example)
    print(f"pruned      {after:.3f} ms predicted on {MARCH}, {accuracy(net, data):.2f} % right")

    train(net, data, asked.tune, 1e-3)
    print(f"trained on  {after:.3f} ms predicted on {MARCH}, {accuracy(net, data):.2f} % right")


if __name__ == "__main__":
    main()
