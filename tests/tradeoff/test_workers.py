"""Other processes: the same result, a lost worker's trial tried once more; Dask over loopback."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from surgery.drift.thresholds import Method
from surgery.errors import InputError
from surgery.report.tradeoff import TradeoffDocument
from surgery.tradeoff import Setup, dask
from surgery.tradeoff.study import Wanted, search
from surgery.tradeoff.trial import trial
from surgery.tradeoff.workers import LOST, here, processes
from tests.support import ROOT
from tests.tradeoff import small

CHOICES = [{"clamp-conv-channels": False}, {"clamp-conv-channels": True, "clamp-conv-channels.mode": "pad"}]


def searched(setup: Setup, **wanted: Any) -> TradeoffDocument:
    return search(small.model(), setup, Wanted("small:mean", **wanted))


def test_two_processes_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = (searched(small.setup(tmp_path, int8=Method.MAX), workers=count, trials=6) for count in (1, 2))
    assert one.to_json() == two.to_json()


def test_the_trial_of_a_lost_worker_is_tried_again(tmp_path: Path) -> None:
    flag = tmp_path / "ended"
    with processes(small.setup(tmp_path, small.EndsOnce(flag)), 2) as far, here(small.setup(tmp_path)) as alone:
        assert dict(far(CHOICES)) == dict(alone(CHOICES))
    assert flag.exists()


def test_a_setup_is_handed_on_without_what_was_found_with_it(tmp_path: Path) -> None:
    setup = small.setup(tmp_path)
    found = trial(setup, CHOICES[1])
    assert setup.seen
    handed = pickle.loads(pickle.dumps(setup))
    assert handed.seen == {}
    assert trial(handed, CHOICES[1]) == found


def test_a_trial_that_ends_every_worker_has_failed_and_is_no_result(tmp_path: Path) -> None:
    with processes(small.setup(tmp_path, small.ends_its_process), 1) as tried:
        found = dict(tried(CHOICES[:1]))
    assert (found[0].variant.status, found[0].variant.reason) == ("failed", LOST)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Dask scheduler with two workers, each a process of its own."""
    folder = tmp_path_factory.mktemp("dask")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__DASHBOARD__LINK": ""}
    common = {"cwd": folder, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    tool = (sys.executable, "-m", "distributed.cli")
    scheduling = (f"{'.'.join(tool[2:])}.dask_scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2])
    working = (f"{'.'.join(tool[2:])}.dask_worker", address, "--nthreads", "1")
    started = [
        subprocess.Popen([*tool[:2], *words, "--no-dashboard"], **common) for words in (scheduling, working, working)
    ]
    try:
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait()


def test_the_workers_of_dask_give_the_same_bytes(scheduler: str, tmp_path: Path) -> None:
    local, far = (searched(small.setup(tmp_path), trials=6, scheduler=address) for address in (None, scheduler))
    assert local.to_json() == far.to_json()


def test_a_worker_of_another_version_is_named(scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "versions", lambda: {"onnxruntime": "0.1"})
    monkeypatch.setattr(dask, "_versions", lambda _client, _address: {"tcp://w:1": {"onnxruntime": "1.2"}})
    with pytest.raises(InputError, match=r"tcp://w:1: a worker has onnxruntime 1\.2, here it is 0\.1"):
        searched(small.setup(tmp_path), scheduler=scheduler)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere at all", "tcp://nowhere.invalid:8786"])
def test_a_scheduler_that_does_not_answer(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "CONNECT_SECONDS", 1)
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        searched(small.setup(tmp_path), scheduler=address)


def test_dask_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"Dask is not installed\n  hint: pip install 'surgery\[cluster\]'"):
        searched(small.setup(tmp_path), scheduler="tcp://127.0.0.1:1")
