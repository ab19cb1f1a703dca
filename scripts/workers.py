"""Who asks the toolchain for measure.py: threads of this process, or the workers of a Dask cluster.

Both are an executor of :mod:`concurrent.futures`, and every process that is given work opens one witness of its own and
keeps it. Dask workers need ``surgery`` installed, and this folder and the models under the same paths as here.
"""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from tables import PERFORMANCE, Entry, entry_of

import surgery
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.toolchain import Answer, Witness, WitnessError
from surgery.toolchain.config import Options

CONNECT_SECONDS = 10
"""How long a scheduler may take to answer."""
_LOCK = threading.Lock()
T = TypeVar("T")


class NoCluster(SurgeryError):
    """Dask is not installed, or its scheduler does not answer."""


@dataclass(frozen=True)
class Task:
    """One model: its name, where it comes from when its turn has come, and shapes at which its inputs are static."""

    name: str
    get: Callable[[], Path | Model]
    shapes: Mapping[str, tuple[int, ...]] | None = None


@dataclass(frozen=True)
class Question:
    """What is asked of every model.

    Attributes:
        what: ``placement``, ``performance`` or ``probes``.
        level: that of a performance.
        rewritten: whether it is asked of what the default pipeline makes of the model.
        limit: seconds until the toolchain is killed.
        optimization: values of the toolchain's parameter of that name, of a performance.
        cores: over how many of them a frame is split, of a performance.
        batch: frames per inference, of a performance.
    """

    what: str
    level: str
    rewritten: bool
    limit: float
    optimization: tuple[str, ...] = ()
    cores: int = 1
    batch: int = 1


def measure(task: Task, march: str, question: Question) -> Entry:
    """What is kept of one model on one march.

    Raises:
        WitnessError: the toolchain does not run, which says nothing of the model.
    """
    try:
        model = task.get()
        if question.rewritten:
            model = surgery.run(model, march=march, verify="off", input_shape=task.shapes).model
        return entry_of(task.name, _answer(model, march, question))
    except WitnessError:
        raise
    except SurgeryError as error:
        return {"model": task.name, "march": march, "refusal": "surgery", "reason": error.what}


def _answer(model: Path | Model, march: str, question: Question) -> Answer:
    if question.what == PERFORMANCE:
        options = Options(
            question.level, optimization=question.optimization, cores=question.cores, batch=question.batch
        )
        return witness().compile(model, march, options, limit=question.limit)
    return witness().check(model, march, limit=question.limit)


def witness() -> Witness:
    """The one witness of this process."""
    with _LOCK:
        return _opened()


@cache
def _opened() -> Witness:
    return Witness()


def release() -> None:
    """Close the witness of this process, if there is one; the next question opens another."""
    with _LOCK:
        if _opened.cache_info().currsize:
            _opened().close()
            _opened.cache_clear()


def executor(jobs: int, scheduler: str | None) -> AbstractContextManager[Executor]:
    """What runs calls of this module: ``jobs`` threads, or the workers of the Dask ``scheduler``.

    When it ends, what has not begun is cancelled, and what is running ends now, not at its limit.

    Raises:
        WitnessError: there is no toolchain here.
        NoCluster: there is no Dask, or no such scheduler.
    """
    return _threads(jobs) if scheduler is None else _cluster(scheduler)


@contextmanager
def _threads(jobs: int) -> Iterator[Executor]:
    opened = witness()
    with ExitStack() as after:  # backwards: what waits is cancelled, what runs is ended, threads are waited for
        after.callback(release)
        pool = after.enter_context(ThreadPoolExecutor(jobs))
        after.callback(opened.close)
        after.callback(pool.shutdown, wait=False, cancel_futures=True)
        yield pool


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    client = _client(address)
    with client:
        if not client.scheduler_info()["workers"]:
            print(f"{address} has no workers yet; work begins with the first", file=sys.stderr, flush=True)
        pool = client.get_executor(pure=False)
        try:
            yield _Shipping(pool)
        finally:
            _let_go(client, pool, address)


def _let_go(client: Any, pool: Executor, address: str) -> None:
    """Cancel what waits, and close the witnesses of the workers."""
    try:
        pool.shutdown(wait=False)
        client.run(_packed(release))
    except OSError as error:
        raise NoCluster(f"the Dask scheduler has gone: {error}", where=address) from error


class _Shipping(Executor):
    """Hands calls of this module over to workers that cannot import it by themselves."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """As every executor does."""
        return self._pool.submit(_packed(fn, *args, **kwargs))


def _packed(call: Callable[..., T], *args: Any, **kwargs: Any) -> Callable[[], T]:
    """``call`` as a function that is sent as it is, for Dask sends a function of a module by its name."""
    folder, content = str(Path(__file__).parent), pickle.dumps(partial(call, *args, **kwargs))

    def unpacked() -> T:
        if folder not in sys.path:
            sys.path.insert(0, folder)
        made: T = pickle.loads(content)()
        return made

    return unpacked


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise NoCluster("Dask is not installed", hint="pip install 'surgery[cluster]'") from error
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise NoCluster(f"no Dask scheduler answers: {error}", where=address) from error
