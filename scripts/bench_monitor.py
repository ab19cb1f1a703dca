"""What a Monitor costs a training: epochs with and without one, in pairs, in alternating order.

    python scripts/bench_monitor.py [--pairs 3] [--steps 800] [--every 100]

The training has one thread, as the process beside it has; two cores that nothing else uses are needed for the times by
the clock to mean anything. The processor time is that of the training's own process.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

import torch
from torch import nn

from surgery.training import Monitor

BATCH, SIDE = 16, 32


class Spent(NamedTuple):
    """Seconds of one epoch: by the clock, of its process, and of the training's thread within calls of the Monitor.

    ``first`` are those of the first call alone; ``looks`` were logged, ``skipped`` were not taken.
    """

    clock: float
    processor: float
    inside: float
    first: float
    looks: int
    skipped: int


class Timed:
    """Calls a Monitor, if there is one, and adds up the processor time that the calling thread spends in it."""

    def __init__(self, monitor: Monitor | None) -> None:
        self.monitor, self.first, self.inside = monitor, 0.0, 0.0

    def step(self, net: nn.Module, step: int) -> None:
        """One step of the training."""
        if self.monitor is not None:
            start = time.thread_time()
            self.monitor.step(net, step)
            self.inside += time.thread_time() - start
            self.first = self.first or self.inside


def network() -> nn.Sequential:
    """A small residual-free classifier: eight convolutions with normalisation, 32 to 128 channels."""
    layers: list[nn.Module] = []
    before = 3
    for width, stride in ((32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1)):
        layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def epoch(steps: int, every: int | None) -> Spent:
    """One epoch of a fresh network, with a fresh Monitor from start to end where there is an ``every``."""
    torch.manual_seed(0)
    net, logged = network(), list[int]()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
    images, labels = torch.randn(BATCH, 3, SIDE, SIDE), torch.randint(0, 10, (BATCH,))
    clock, processor = time.perf_counter(), time.process_time()
    with ExitStack() as stack:
        monitor = None
        if every is not None:
            monitor = Monitor(march="X5", example=images[:1], every=every, log=lambda _, step: logged.append(step))
            stack.enter_context(monitor)
        timed = Timed(monitor)
        for step in range(steps):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(images), labels).backward()
            optimiser.step()
            timed.step(net, step)
    spent = time.perf_counter() - clock, time.process_time() - processor, timed.inside, timed.first
    return Spent(*spent, len(logged), 0 if monitor is None else monitor.skipped)


def main() -> None:
    """Print every pair, and the medians of what the Monitor adds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--every", type=int, default=100)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    epoch(1, 1)  # imports
    clocks, processors, shares = [], [], []
    for pair in range(asked.pairs):
        order = (None, asked.every) if pair % 2 == 0 else (asked.every, None)
        spent = {every: epoch(asked.steps, every) for every in order}
        without, watched = spent[None], spent[asked.every]
        clocks.append(100 * (watched.clock / without.clock - 1))
        processors.append(100 * (watched.processor / without.processor - 1))
        shares.append(100 * watched.inside / (watched.processor - watched.inside))
        print(
            f"without {without.clock:.2f} s ({without.processor:.2f} s of processor), with {watched.clock:.2f} s "
            f"({watched.processor:.2f} s, {watched.inside:.2f} s of it in the Monitor, {watched.first:.2f} s in its "
            f"first call), {watched.looks} looks logged, {watched.skipped} skipped",
            flush=True,
        )
    print(
        f"medians: {median(clocks):+.1f} % by the clock, {median(processors):+.1f} % of the processor time of the "
        f"process, {median(shares):.1f} % of it in calls of the Monitor"
    )


if __name__ == "__main__":
    main()
