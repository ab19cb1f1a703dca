from __future__ import annotations

from pathlib import Path

import pytest

from surgery.toolchain import WitnessError, find
from surgery.toolchain import install as module


def fake(root: Path) -> Path:
    for name in ("python", "hb_mapper", "hbdk-cc"):
        tool = root / "bin" / name
        tool.parent.mkdir(parents=True, exist_ok=True)
        tool.touch(0o755)
    for package in ("rdkx5_yolo_mapper-1.0.0", "onnx-1.15.0", "requests-2.0"):
        (root / f"lib/python3.10/site-packages/{package}.dist-info").mkdir(parents=True)
    return root


def test_a_folder_that_was_named(tmp_path: Path) -> None:
    found = find(fake(tmp_path / "with space"))
    assert found.packages == {"onnx": "1.15.0", "rdkx5_yolo_mapper": "1.0.0"}


def test_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURGERY_WITNESS", str(fake(tmp_path)))
    assert find().root == tmp_path


def test_the_usual_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SURGERY_WITNESS", raising=False)
    monkeypatch.setattr(module, "_PLACES", (str(tmp_path / "no"), str(fake(tmp_path / "yes"))))
    assert find().root == tmp_path / "yes"


def test_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SURGERY_WITNESS", raising=False)
    monkeypatch.setattr(module, "_PLACES", (str(tmp_path / "no"),))
    with pytest.raises(WitnessError, match=r"(?s)not installed.*surgery witness setup"):
        find()


def test_a_folder_without_it(tmp_path: Path) -> None:
    with pytest.raises(WitnessError, match="no installation"):
        find(tmp_path)


def test_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "docker.yaml"
    file.write_text(f"command: [docker, exec, -i, x5, python3]\nfolder: {tmp_path}\n")
    found = find(file)
    assert (found.python, found.folder) == (("docker", "exec", "-i", "x5", "python3"), tmp_path)
    assert found.packages == {"command": "docker exec -i x5 python3"}


@pytest.mark.parametrize("text", ["command: docker", "command: [a]\nfoldre: b", "[]"])
def test_a_configuration_of_something_else(tmp_path: Path, text: str) -> None:
    file = tmp_path / "docker.yaml"
    file.write_text(text)
    with pytest.raises(WitnessError, match=r"(?s)not the configuration.*docker, exec"):
        find(file)
