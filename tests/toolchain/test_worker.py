"""The worker, its forks and the witness on top of them, with a fake toolchain."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from surgery import api
from surgery.errors import DefectError
from surgery.ir import Model
from surgery.toolchain import Installation, Witness, WitnessError, files, find
from surgery.toolchain.cache import Cache
from surgery.toolchain.refusal import Kind
from tests.support import model_of
from tests.toolchain.fake import install


def model(name: str) -> Model:
    made = model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }", opset=11)
    made.graph.nodes[0].name = name
    return made


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    place = tmp_path / "tmp with space"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with Witness(Installation(install(tmp_path / "tool")), Cache(tmp_path / "cache")) as opened:
        yield opened
    assert list(place.iterdir()) == []


def test_answer_and_cache(witness: Witness) -> None:
    first = witness.check(model("fine"), "bayes-e")
    assert first.refusal is None
    assert first.placement is not None
    assert [row.name for row in first.placement.rows] == ["node"]
    again = witness.check(model("fine"), "bayes-e")
    assert (first.cached, again.cached) == (False, True)
    assert not witness.check(model("fine"), "bayes").cached


def test_crash_and_error_stay_in_their_fork(witness: Witness) -> None:
    for name, kind in (("crash", Kind.CRASH), ("fail", Kind.OPSET), ("crash", Kind.CRASH)):
        answer = witness.check(model(name), "bayes-e")
        assert answer.refusal is not None
        assert answer.refusal.kind is kind
    assert witness.check(model("fine"), "bayes-e").refusal is None


def test_hang_is_killed_with_its_children(witness: Witness) -> None:
    for _ in range(2):
        answer = witness.check(model("hang"), "bayes-e", limit=1.0)
        assert answer.refusal is not None
        assert (answer.refusal.kind, answer.cached) == (Kind.TIMEOUT, False)
        assert_gone()


def test_jobs_share_no_folder(witness: Witness) -> None:
    """Neither those at the same time nor one after another that was killed."""
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(witness.check, model(name), "bayes-e", limit=2.0) for name in ("hang", "fine", "well")]
        refusals = [future.result().refusal for future in futures]
    assert [r and r.kind for r in refusals] == [Kind.TIMEOUT, None, None]
    assert witness.check(model("good"), "bayes-e").refusal is None


def test_what_a_job_leaves_behind_is_killed(witness: Witness) -> None:
    assert witness.check(model("leave"), "bayes-e").refusal is None
    assert_gone()


def test_nothing_is_left_when_the_fork_server_is_killed(witness: Witness) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(witness.check, model("hang"), "bayes-e", limit=60)
        child_of_the_job(Path(tempfile.gettempdir()))
        process = witness._worker._process
        assert process is not None
        process.kill()
        with pytest.raises(WitnessError, match="the toolchain's process has gone"):
            asked.result(timeout=10)
        assert_gone()
    assert witness.check(model("fine"), "bayes-e").refusal is None


def test_folders_go_when_nothing_was_started(witness: Witness) -> None:
    witness.check(model("fine"), "bayes-e")
    before = list(Path(tempfile.gettempdir()).iterdir())
    with Witness(witness.installation, witness.cache) as other:
        assert other.check(model("fine"), "bayes-e").cached
    assert list(Path(tempfile.gettempdir()).iterdir()) == before


def assert_gone() -> None:
    """The child that the last job started ends."""
    child = child_of_the_job(Path(tempfile.gettempdir()))
    deadline = time.monotonic() + 5
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(child)


def child_of_the_job(place: Path) -> int:
    """The process that a job has started; waits for it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for folder, _, names in os.walk(place):  # other jobs' folders come and go meanwhile
            if "child.txt" in names and (said := Path(folder, "child.txt").read_text()):
                return int(said)
        time.sleep(0.02)
    raise TimeoutError


def alive(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    return False


def test_a_command_of_a_configuration(tmp_path: Path) -> None:
    tool, folder = install(tmp_path / "tool"), tmp_path / "shared"
    folder.mkdir()
    file = tmp_path / "docker.yaml"
    file.write_text(f"command: [env, A=1, {tool}/bin/python]\nfolder: {folder}\n")
    with Witness(find(file), Cache(tmp_path / "cache")) as witness:
        assert witness.check(model("fine"), "bayes-e").refusal is None
        assert len(list(folder.iterdir())) == 1
    assert list(folder.iterdir()) == []


def test_modules_of_the_working_directory_are_not_taken(
    witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("re", "json", "contextlib", "shutil"):
        (tmp_path / f"{name}.py").write_text("raise ImportError")
    monkeypatch.chdir(tmp_path)
    assert witness.check(model("fine"), "bayes-e").refusal is None


def test_nothing_starts_after_the_end(witness: Witness) -> None:
    witness.close()
    with pytest.raises(WitnessError, match="has been closed"):
        witness.check(model("fine"), "bayes-e")


def test_unknown_march(witness: Witness) -> None:
    with pytest.raises(WitnessError, match="does not know march 'nash-e', only bernoulli2"):
        witness.check(model("fine"), "nash-e")


def test_an_installation_that_does_not_start(tmp_path: Path) -> None:
    broken = Installation(install(tmp_path / "tool", broken=True))
    with Witness(broken, Cache(tmp_path / "cache")) as witness, pytest.raises(WitnessError) as caught:
        witness.check(model("fine"), "bayes-e")
    assert caught.value.what == "the toolchain does not start: ImportError: no pkg_resources"
    assert not isinstance(caught.value, DefectError)


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "docker.yaml"
    file.write_text("command: [no-such-dockr, exec, -i, x5, python3]")
    with Witness(find(file), Cache(tmp_path / "cache")) as witness, pytest.raises(WitnessError) as caught:
        witness.check(model("fine"), "bayes-e")
    assert str(caught.value) == "no-such-dockr: the toolchain does not start: No such file or directory"


def test_a_cache_that_cannot_be_written(witness: Witness, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Witness(witness.installation, Cache(tmp_path / "file/cache")) as other:
        assert [other.check(model("fine"), "bayes-e").refusal for _ in range(2)] == [None, None]


def test_an_entry_that_is_just_being_removed(witness: Witness) -> None:
    witness.check(model("fine"), "bayes-e")
    [entry] = witness.cache.root.iterdir()
    (entry / "end.json").unlink()
    assert [witness.check(model("fine"), "bayes-e").cached for _ in range(2)] == [False, True]


def test_no_space_while_it_runs(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "stage", full)
    with pytest.raises(WitnessError, match="cannot be written: No space left on device"):
        witness.check(model("fine"), "bayes-e")


@pytest.mark.parametrize("how", ["file", "external", "memory"])
def test_over_two_gibibytes(witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    path, _ = with_data(tmp_path)
    monkeypatch.setattr(files, "LARGEST", 7_000)
    given = {"file": path, "external": path, "memory": Model.load(path)}[how]
    if how == "file":
        Model.load(path).save(path, external=False)
    refusal = witness.check(given, "bayes-e").refusal
    assert refusal is not None
    assert (refusal.kind, refusal.text) == (Kind.SIZE, "over 2 GiB, more than the toolchain can read")


def test_two_runs_at_once_in_one_cache(tmp_path: Path) -> None:
    tool = Installation(install(tmp_path / "tool"))

    def run(_: int) -> list[bool]:
        with Witness(tool, Cache(tmp_path / "cache")) as own:
            answers = [own.check(model(name), "bayes-e") for name in ("fine", "fail", "fine")]
        assert [answer.refusal is None for answer in answers] == [True, False, True]
        return [answer.cached for answer in answers]

    with ThreadPoolExecutor(3) as pool:
        assert all(cached[2] for cached in pool.map(run, range(3)))
    assert len(list((tmp_path / "cache").iterdir())) == 2


def with_data(folder: Path) -> tuple[Path, Path]:
    """A model file and its data file."""
    path = folder / "m.onnx"
    taps = ", ".join(["0.5"] * 2000)
    model_of(f"g (float[1,2000] x) => (float[1,2000] y) <float[2000] c = {{{taps}}}> {{ y = Add(x, c) }}").save(
        path, external=True
    )
    [data] = (file for file in folder.iterdir() if file.is_file() and file != path)
    return path, data


def test_weights_beside_the_model(witness: Witness, tmp_path: Path) -> None:
    path, _ = with_data(tmp_path)
    assert witness.check(path, "bayes-e").refusal is None


def test_absent_weights(witness: Witness, tmp_path: Path) -> None:
    path, data = with_data(tmp_path)
    data.unlink()
    answer = witness.check(path, "bayes-e")
    assert answer.refusal is not None
    assert answer.refusal.kind is Kind.WEIGHTS
    found = api.check(path, march="bayes-e", witness=witness).witness
    assert found is not None
    assert (found.side.accepted, found.side.made_up) == (True, True)
