"""Runs inside the toolchain's own Python: imports its entry points once, then forks a process per job.

A fork starts in a millisecond where the tool itself takes four seconds, and keeps jobs apart: a crash, a hang or a
changed global stays in its process. Standard library only, Python 3.10.

    zygote.py ROOT          reads one JSON job per line on stdin, answers one JSON line each on stdout
    job     {"id", "call": "hb_mapper" | "hb_model_modifier" | "infer", "argv": [...], "folder", "limit": seconds}
    answer  {"id", "code" | null, "signal" | null, "late": bool, "seconds", "cpu_seconds", "peak_kb"}

Ends, with everything it started, when stdin closes; the folder ROOT goes with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

_POLL = 3600.0
HERE = "/proc/self/cwd/tmp"
"""Temporary files of whoever asks: in its own working directory.

The tool makes one folder while it is imported, and every compile works in it, under fixed names. So that forks do not
share it, its path is told like this, and each fork has a folder of that name of its own; the tool works in its
``working_dir``, which therefore has to be the folder of the job.
"""


def hb_mapper(argv: list[str]) -> None:
    """What the console script of that name does."""
    from horizon_tc_ui.hb_mapper import main  # type: ignore[import-not-found,unused-ignore]

    sys.argv = ["hb_mapper", *argv]
    main()


def hb_model_modifier(argv: list[str]) -> None:
    """What the console script of that name does."""
    from horizon_tc_ui.hb_model_modifier import cmd_main  # type: ignore[import-not-found,unused-ignore]

    sys.argv = ["hb_model_modifier", *argv]
    cmd_main()


def infer(argv: list[str]) -> None:
    """Run a model of the toolchain over ``inputs.npz`` and write ``outputs.npz``: keys ``SAMPLE/NAME``."""
    import numpy as np
    from horizon_tc_ui import HB_ONNXRuntime  # type: ignore[import-not-found,unused-ignore]

    session = HB_ONNXRuntime(model_file=argv[0])
    outputs: dict[str, Any] = {}
    with np.load("inputs.npz") as given:
        samples = sorted({int(key.split("/", 1)[0]) for key in given.files})
        for sample in samples:
            feeds = {name: given[f"{sample}/{name}"] for name in session.input_names}
            found = session.run(session.output_names, feeds, input_offset=0)
            outputs.update({f"{sample}/{name}": value for name, value in zip(session.output_names, found)})  # noqa: B905
    np.savez("outputs.npz", **outputs)


CALLS = {"hb_mapper": hb_mapper, "hb_model_modifier": hb_model_modifier, "infer": infer}


class Zygote:
    """The loop: jobs in, forks out, answers back."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.answers = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)  # what the tool prints while it is imported is no answer
        self.running: dict[int, tuple[int, float, float]] = {}  # pid: id, start, deadline
        self.late: set[int] = set()
        self.pending = b""
        self.wake, alarm = os.pipe()
        os.set_blocking(alarm, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Work until stdin closes."""
        try:
            while self.turn():
                pass
        finally:
            for pid in self.running:
                kill(pid)
            shutil.rmtree(self.root, ignore_errors=True)

    def turn(self) -> bool:
        """Wait for a job, an end or a deadline; False when nobody is there any more."""
        nearest = min((deadline for _, _, deadline in self.running.values()), default=time.monotonic() + _POLL)
        ready, _, _ = select.select([0, self.wake], [], [], max(0.0, nearest - time.monotonic()))
        if self.wake in ready:
            os.read(self.wake, 4096)
        self.reap()
        self.expire()
        return self.read() if 0 in ready else True

    def read(self) -> bool:
        """Start the jobs that came in."""
        piece = os.read(0, 65536)
        *lines, self.pending = (self.pending + piece).split(b"\n")
        for line in lines:
            self.start(json.loads(line))
        return bool(piece)

    def start(self, job: dict[str, Any]) -> None:
        """Fork the process of one job, the leader of a group of its own."""
        pid = os.fork()
        if pid == 0:
            self.answers.close()  # whoever reads them sees their end when this process dies, not its jobs
            become(job)
        with contextlib.suppress(OSError):  # both sides do it: whichever comes first
            os.setpgid(pid, pid)
        now = time.monotonic()
        self.running[pid] = (job["id"], now, now + job["limit"])

    def expire(self) -> None:
        """Kill what is over its limit."""
        now = time.monotonic()
        for pid, (_, _, deadline) in self.running.items():
            if deadline <= now and pid not in self.late:
                self.late.add(pid)
                kill(pid)

    def reap(self) -> None:
        """Answer for every process that has ended."""
        for pid in list(self.running):
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                kill(pid)  # whatever it has left behind
                self.answer(pid, status, usage)

    def answer(self, pid: int, status: int, usage: Any) -> None:
        """Tell how the job of a process ended."""
        job, begun, _ = self.running.pop(pid)
        said = {
            "id": job,
            "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "late": pid in self.late,
            "seconds": round(time.monotonic() - begun, 3),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            "peak_kb": usage.ru_maxrss,
        }
        self.late.discard(pid)
        self.answers.write(json.dumps(said) + "\n")


def kill(group: int) -> None:
    """Kill a process group, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def orphans(root: Path) -> set[int]:
    """Groups of the processes that work in a folder of ``root``: jobs that are left when this process is killed."""
    found: set[int] = set()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if root in (place / "cwd").readlink().parents:
                found.add(os.getpgid(int(place.name)))
    return found


def become(job: dict[str, Any]) -> NoReturn:
    """In the fork: run one job in its folder, output to ``output.txt``, and end."""
    code = 70
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        settle(job["folder"])
        code = call(job)
    except BaseException:  # noqa: BLE001 - a fork must never return into the loop of its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def settle(folder: str) -> None:
    """Make ``folder`` the place of everything: working directory, temporary files, output."""
    shared = [place.name for place in Path(HERE).iterdir()]
    os.chdir(folder)
    for name in shared:
        Path("tmp", name).mkdir(parents=True, exist_ok=True)
    Path("tmp").mkdir(exist_ok=True)
    output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for fd, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(fd, target)


def call(job: dict[str, Any]) -> int:
    """Run the entry point of a job; its exit code."""
    try:
        CALLS[job["call"]](job["argv"])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def main() -> None:
    """Import the toolchain, say so, and serve."""
    sys.path[:] = [place for place in sys.path if place]  # the working directory is a job's
    zygote = Zygote(sys.argv[1])
    Path(HERE).mkdir(exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = HERE
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    begun = time.monotonic()
    import horizon_tc_ui.hb_mapper  # type: ignore[import-not-found,unused-ignore]  # noqa: F401 - before any fork

    zygote.answers.write(json.dumps({"ready": round(time.monotonic() - begun, 3)}) + "\n")
    zygote.serve()


if __name__ == "__main__":
    main()
