"""Who makes and measures variants: this process, several of this machine, or the workers of a Dask scheduler.

All give pairs of a choice's place and what became of it, in the order they are done. A worker gets the model and the
data once. A trial whose worker is lost is tried once more, by itself; if that is lost too, the trial has failed.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeAlias

from surgery.report.tradeoff import Variant
from surgery.tradeoff.axis import Choice
from surgery.tradeoff.trial import Setup, Tried, trial

Try: TypeAlias = "Callable[[Sequence[Choice | None]], Iterator[tuple[int, Tried]]]"
LOST = "its worker was lost, and that of a second try, too"
"""The reason of a trial that ends its workers."""


@contextmanager
def here(setup: Setup) -> Iterator[Try]:
    """One trial after the other, in this process."""
    yield lambda choices: ((place, trial(setup, choice)) for place, choice in enumerate(choices))


class Pool:
    """Trials over an executor, which is opened when the first is due and again when it has lost a worker.

    Args:
        open_: makes an executor of so many workers.
        call: makes and measures a choice in a worker.
        told: what it is called with before the choice.
        lost: the errors that say that a worker is gone.
        workers: how many there are.
    """

    def __init__(
        self,
        open_: Callable[[int], Executor],
        call: Callable[..., Tried],
        told: tuple[object, ...],
        lost: tuple[type[Exception], ...],
        workers: int,
    ) -> None:
        self._open, self._call, self._told, self._lost, self._workers = open_, call, told, lost, workers
        self._executor: Executor | None = None

    def __call__(self, choices: Sequence[Choice | None]) -> Iterator[tuple[int, Tried]]:
        """What becomes of each choice."""
        executor = self._executor = self._executor or self._open(self._workers)
        places = {self._submit(executor, choices[place]): place for place in spread(len(choices), self._workers)}
        gone: list[int] = []
        for future in as_completed(places):
            try:
                yield places[future], future.result()
            except self._lost:
                gone.append(places[future])
        for place in sorted(gone):
            yield place, self._again(choices[place])

    def _submit(self, executor: Executor, choice: Choice | None) -> Future[Tried]:
        try:
            return executor.submit(self._call, *self._told, choice)
        except self._lost as error:  # a pool that has lost a worker takes nothing more
            failed: Future[Tried] = Future()
            failed.set_exception(error)
            return failed

    def _again(self, choice: Choice | None) -> Tried:
        """A second try, with nobody else's trial in the same executor."""
        self._executor = None
        try:
            return self._submit(self._open(1), choice).result()
        except self._lost:
            return Tried(Variant(status="failed", reason=LOST))


def spread(count: int, workers: int) -> list[int]:
    """An order in which workers that take turns get neighbours, which have the most passes in common.

    >>> spread(5, 2)
    [0, 3, 1, 4, 2]
    """
    each = -(-count // workers)
    return [
        start + at for at in range(each) for start in range(0, count, each) if start + at < min(count, start + each)
    ]


@contextmanager
def processes(setup: Setup, workers: int) -> Iterator[Try]:
    """``workers`` processes of this machine, started afresh: onnxruntime's threads do not outlive a fork."""
    opened: list[Executor] = []

    def open_(count: int) -> Executor:
        context = multiprocessing.get_context("spawn")
        opened.append(ProcessPoolExecutor(count, mp_context=context, initializer=_install, initargs=(setup,)))
        return opened[-1]

    try:
        yield Pool(open_, _try, (), (BrokenExecutor,), workers)
    finally:
        for executor in opened:
            executor.shutdown(cancel_futures=True)


_SETUP: list[Setup] = []
"""What the process that this is a worker of has told it."""


def _install(setup: Setup) -> None:
    _SETUP[:] = [setup]


def _try(choice: Choice | None) -> Tried:
    return trial(_SETUP[0], choice)
