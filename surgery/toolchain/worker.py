"""One long-lived process of the toolchain's Python (see :mod:`surgery.toolchain.zygote`) and the jobs given to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from surgery.errors import SurgeryError
from surgery.toolchain import zygote

ZYGOTE = Path(zygote.__file__)
START_SECONDS = 180.0
"""How long the toolchain may take to be imported; some 4 s on an idle machine."""


class WitnessError(SurgeryError):
    """The toolchain is absent, broken, or went away."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended: exit code or signal (None when the other), whether it was killed at its limit, its cost."""

    code: int | None
    signal: int | None
    late: bool
    seconds: float
    cpu_seconds: float
    peak_kb: int


class Worker:
    """Starts the process on first use; jobs may be submitted from any thread and run at the same time.

    Args:
        python: the command that starts the interpreter of the toolchain's environment.
        folder: where the folders of the jobs are made; the system's temporary folder when None.

    Use as a context manager, or call :meth:`close`; whatever happens, nothing it started outlives this process.
    """

    def __init__(self, python: Sequence[str], folder: Path | None = None) -> None:
        self.python, self._parent = tuple(python), folder
        self._lock = threading.Lock()
        self._jobs: dict[int, Future[Ended]] = {}
        self._next = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._root: Path | None = None
        self._closed = False

    def folder(self) -> Path:
        """A new, empty folder for one job; whoever asked removes it, :meth:`close` removes all."""
        with self._lock:
            return Path(tempfile.mkdtemp(dir=self._place()))

    def submit(self, call: str, argv: Sequence[str], folder: Path, limit: float) -> Future[Ended]:
        """Run an entry point in ``folder`` for at most ``limit`` seconds."""
        with self._lock:
            self._start()
            assert self._process is not None
            self._next += 1
            future = self._jobs[self._next] = Future()
            job = {"id": self._next, "call": call, "argv": list(argv), "folder": str(folder), "limit": limit}
            try:
                _pipe(self._process.stdin).write(json.dumps(job).encode() + b"\n")
            except OSError as error:
                raise WitnessError("the toolchain's process has gone", where=self.python[-1]) from error
        return future

    def close(self) -> None:
        """End the process and everything it started, and remove every folder."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
            root, self._root = self._root, None
        if process is not None:
            with suppress(OSError):
                _pipe(process.stdin).close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if root is not None:
            shutil.rmtree(root, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._process = self._launch(self._place())
        threading.Thread(target=self._listen, args=(self._process, self._place()), daemon=True).start()

    def _place(self) -> Path:
        if self._closed:
            raise WitnessError("the witness has been closed")
        self._root = self._root or Path(tempfile.mkdtemp(prefix="surgery-witness-", dir=self._parent))
        return self._root

    def _launch(self, root: Path) -> subprocess.Popen[bytes]:
        said = root / "start.txt"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        with said.open("wb") as errors:
            try:
                process = subprocess.Popen(
                    [*self.python, "-u", "-c", ZYGOTE.read_text(), root],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    bufsize=0,
                    cwd=root,  # "-c" puts the working directory on the path of modules
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise WitnessError(f"the toolchain does not start: {error.strerror}", where=self.python[0]) from error
        watchdog = threading.Timer(START_SECONDS, process.kill)
        watchdog.start()
        line = _pipe(process.stdout).readline()
        watchdog.cancel()
        if b"ready" not in line:
            process.kill()
            process.wait()
            raise WitnessError(_why(said), where=self.python[-1], hint="surgery witness setup DIR installs it anew")
        return process

    def _listen(self, process: subprocess.Popen[bytes], root: Path) -> None:
        for line in _pipe(process.stdout):
            said: dict[str, Any] = json.loads(line)
            self._jobs.pop(said.pop("id")).set_result(Ended(**said))
        for group in zygote.orphans(root):
            zygote.kill(group)
        with self._lock:
            left, self._jobs = list(self._jobs.values()), {}
        for future in left:
            future.set_exception(WitnessError("the toolchain's process has gone", where=self.python[-1]))


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _why(said: Path) -> str:
    lines = said.read_text(errors="replace").strip().splitlines()
    return f"the toolchain does not start: {lines[-1]}" if lines else "the toolchain does not start"
