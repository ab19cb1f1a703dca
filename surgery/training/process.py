"""A process beside the training that works off one job at a time."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import IO

from surgery.errors import SurgeryError
from surgery.training.worker import Job, Reply

COMMAND = (sys.executable, "-c", "from surgery.training.worker import main; main()")
PATIENCE = 10.0
"""Seconds in which a process that was told to end has to do so."""


class Beside:
    """Runs jobs in a process of its own, which is started with the first one.

    It is no child of :mod:`multiprocessing`: that would run the training script again to find the classes in it.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], object] = lambda: None

    def submit(self, job: Job) -> Future[Reply]:
        """The reply to come; one job at a time. The process that died in a job is replaced with the next one."""
        future: Future[Reply] = Future()
        threading.Thread(target=_talk, args=(self._started(), job, future), daemon=True).start()
        return future

    def close(self) -> None:
        """End the process; a job that it is in is given up."""
        self._end()
        self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
            )
            self._end = weakref.finalize(self, _stop, self._process)
        return self._process


def _talk(process: subprocess.Popen[bytes], job: Job, future: Future[Reply]) -> None:
    """Give the job to the process, and the future the reply or what went wrong."""
    try:
        _pipe(process.stdin).write(pickle.dumps(job))  # as a whole or, where it cannot be pickled, not at all
        _pipe(process.stdin).flush()
        future.set_result(pickle.load(_pipe(process.stdout)))
    except (OSError, EOFError, ValueError):  # the last when it is closed meanwhile
        future.set_exception(SurgeryError("the process beside the training has gone"))
    except Exception as error:  # noqa: BLE001  # such as a pipeline that cannot be pickled
        future.set_exception(error)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(PATIENCE)
    for pipe in (process.stdin, process.stdout):
        try:
            _pipe(pipe).close()
        except OSError:  # it could not be told the rest of a job
            continue


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
