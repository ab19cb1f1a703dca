"""scripts/measure.py with a fake toolchain: by threads, by a Dask cluster, interrupted, and without what it needs."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import onnx
import pytest
from distributed import LocalCluster

from tests.support import ROOT, model_of
from tests.toolchain.fake import install
from tests.toolchain.test_worker import alive, child_of_the_job


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The script before a fake toolchain, with folders of its own for all it writes, none of which it leaves."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.syspath_prepend(ROOT / "scripts")
    monkeypatch.setenv("SURGERY_WITNESS", str(install(tmp_path / "tool")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    import measure as module
    import tables

    monkeypatch.setattr(tables, "JOURNALS", tmp_path / "journals")
    before = signal.getsignal(signal.SIGTERM)
    yield module
    signal.signal(signal.SIGTERM, before)
    assert list(place.glob("surgery-*")) == []


def models(folder: Path, *names: str) -> Path:
    """A model file for each name, which tells the fake what to do."""
    for name in names:
        made = model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }", opset=11)
        made.graph.nodes[0].name = Path(name).name
        path = folder / f"{name}.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        made.save(path)
    return folder


def verdicts(out: Path) -> dict[str, str]:
    with out.with_suffix(".csv").open(newline="") as file:
        return {line["model"]: line["refusal"] for line in csv.DictReader(file)}


def call(tmp_path: Path, *more: str) -> list[str]:
    """Arguments that place the models of ``m`` and write tables at ``p``."""
    return ["placement", str(tmp_path / "m"), "--out", str(tmp_path / "p"), "--march", "bayes", *more]


def test_every_model_ends_with_a_table_or_one_reason(measure: ModuleType, tmp_path: Path) -> None:
    models(tmp_path / "m", "fine", "fail", "crash", "hang", "a/fine")
    assert measure.main(call(tmp_path, "--limit", "1", "--jobs", "2")) == 0
    assert verdicts(tmp_path / "p") == {
        "fine": "",
        "a/fine": "",
        "fail": "model.opset",
        "crash": "crash",
        "hang": "timeout",
    }


def test_goes_on_where_it_was(measure: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models(tmp_path / "m", "fine")
    assert measure.main(call(tmp_path)) == 0
    models(tmp_path / "m", "other")
    assert measure.main(call(tmp_path)) == 0
    assert "1 done, 1 to do" in capsys.readouterr().out
    assert list(verdicts(tmp_path / "p")) == ["fine", "other"]


def test_a_model_that_we_cannot_rewrite(measure: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/no.onnx").write_bytes(b"\xff\xffno model")
    assert measure.main(call(tmp_path, "--rewritten")) == 0
    assert verdicts(tmp_path / "p") == {"no": "surgery"}


def test_a_model_that_breaks_what_asks(measure: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken: Future[Any] = Future()
    broken.set_exception(MemoryError("all of it"))
    fine: Future[Any] = Future()
    fine.set_result({"model": "fine", "march": "bayes"})
    journal = measure.Journal(tmp_path / "p", "placement")
    assert measure.collect(journal, {broken: ("m", "bayes"), fine: ("fine", "bayes")}, {}) == 1
    assert list(journal.done) == [("fine", "bayes")]
    assert capsys.readouterr().err == "m bayes not measured: MemoryError: all of it\n"


def test_a_cluster(measure: ModuleType, tmp_path: Path) -> None:
    models(tmp_path / "m", "fine", "fail")
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        assert measure.main(call(tmp_path, "--scheduler", cluster.scheduler_address)) == 0
        assert list((tmp_path / "tmp").glob("surgery-*")) == []  # though its worker lives
    assert verdicts(tmp_path / "p") == {"fine": "", "fail": "model.opset"}


def refused(measure: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What it says when it cannot begin; nothing is written."""
    models(tmp_path / "m", "fine")
    assert measure.main(call(tmp_path, *more)) == 2
    assert not (tmp_path / "p.csv").exists()
    return str(capsys.readouterr().err)


def test_no_dask(
    measure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = refused(measure, tmp_path, capsys, "--scheduler", "tcp://127.0.0.1:1")
    assert said == "Dask is not installed\n  hint: pip install 'surgery[cluster]'\n"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://a"])
def test_no_scheduler(
    measure: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str,
) -> None:
    import workers

    monkeypatch.setattr(workers, "CONNECT_SECONDS", 0.2)
    said = refused(measure, tmp_path, capsys, "--scheduler", address)
    assert said.startswith(f"{address}: no Dask scheduler answers: ")


@pytest.mark.usefixtures("measure")
def test_a_scheduler_that_has_gone() -> None:
    import workers

    def gone(*_: object) -> None:
        raise OSError("timed out")

    with ThreadPoolExecutor(1) as pool, pytest.raises(workers.NoCluster) as caught:
        workers._let_go(SimpleNamespace(run=gone), pool, "tcp://a:1")
    assert str(caught.value) == "tcp://a:1: the Dask scheduler has gone: timed out"


def test_no_toolchain(
    measure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SURGERY_WITNESS", str(tmp_path / "nowhere"))
    assert "no installation of the vendor's toolchain" in refused(measure, tmp_path, capsys)


def test_a_toolchain_that_does_not_start(
    measure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models(tmp_path / "m", "fine")
    monkeypatch.setenv("SURGERY_WITNESS", str(install(tmp_path / "broken", broken=True)))
    assert measure.main(call(tmp_path)) == 2
    assert "does not start: ImportError: no pkg_resources" in capsys.readouterr().err


@pytest.mark.usefixtures("measure")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_killed_it_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    models(tmp_path / "m", "fine", "hang")
    command = [sys.executable, str(ROOT / "scripts/measure.py"), *call(tmp_path)]
    if how == signal.SIGTERM:  # in the background of a shell, where Ctrl-C is ignored
        command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a child inherits it
    asking = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    child = child_of_the_job(tmp_path / "tmp")
    asking.send_signal(how)
    _, said = asking.communicate(timeout=60)
    assert (asking.returncode, said) == (
        (-how, "") if how == signal.SIGKILL else (130, "interrupted; the same call goes on from here\n")
    )
    deadline = time.monotonic() + 10
    while (alive(child) or list((tmp_path / "tmp").iterdir())) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (alive(child), list((tmp_path / "tmp").iterdir())) == (False, [])
    if how != signal.SIGKILL:
        assert verdicts(tmp_path / "p") == {"fine": ""}


def test_every_probe_is_a_valid_model(measure: ModuleType) -> None:
    networks = dict(measure.probes.networks())
    assert len(networks) == 590
    for name in list(networks)[::29]:
        onnx.checker.check_model(networks[name]())
