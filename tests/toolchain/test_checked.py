from __future__ import annotations

from pathlib import Path

import pytest

from surgery.errors import InputError
from surgery.toolchain.checked import need_march, need_model, read_log
from tests.toolchain import logs

ROWS = [("conv", "bpu"), ("softmax", "cpu"), ("other", "bpu")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hb_mapper_checker.log"


def refused(path: Path, content: bytes | str) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        read_log(path)
    return str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        "Start to compile the model with march bayes-e.",
        "The specified model compilation architecture: bayes-e.",
        "  march: bayes-e",
        "'march': 'bayes-e',",
        "hb_mapper checker --march bayes-e --model x.onnx",
    ],
)
def test_the_march_it_names(path: Path, said: str) -> None:
    path.write_text(f"the march of things\n{said}\n{logs.table(ROWS)}")
    assert read_log(path).march == "bayes-e"


def test_no_march_is_named(path: Path) -> None:
    path.write_text(logs.table(ROWS))
    need_march(read_log(path), "bayes")


def test_another_march(path: Path) -> None:
    path.write_text(logs.log(ROWS, "bayes-e"))
    need_march(read_log(path), "bayes-e")
    need_march(read_log(path), "my-chip")
    with pytest.raises(InputError, match="is a log for bayes-e, not for bernoulli2"):
        need_march(read_log(path), "bernoulli2")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gbk"])
def test_encodings(path: Path, encoding: str) -> None:
    path.write_bytes(("校验\n" + logs.log(ROWS)).encode(encoding))
    assert [row.name for row in read_log(path).rows] == ["conv", "softmax", "other"]


def test_the_last_of_several_tables(path: Path) -> None:
    path.write_text(logs.log(ROWS, "bayes") + logs.log(ROWS[:2], "bayes-e"))
    found = read_log(path)
    assert (len(found.rows), found.march, found.note) == (2, "bayes-e", "table 2 of 2 in the log, the last")


def test_the_last_complete_one(path: Path) -> None:
    cut = logs.log(ROWS)
    path.write_text(logs.log(ROWS, "bayes") + cut[: cut.index("other")])
    found = read_log(path)
    assert (found.march, found.note) == ("bayes", "table 1 of 2 in the log, those behind it are cut")


def test_missing(path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_log(path)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_log(tmp_path)


def test_a_path_that_none_can_be() -> None:
    with pytest.raises(InputError, match="cannot be read: embedded null"):
        read_log("a\0b")


def test_a_huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(InputError, match="is larger than 256 MB"):
        read_log(path)


def test_binary(path: Path) -> None:
    assert "is no text" in refused(path, b"\x08\x07\x12\x00onnx")


@pytest.mark.parametrize("content", ["", "nothing of that kind\n", "Node  ON\n" * 3])
def test_no_table(path: Path, content: str) -> None:
    assert "holds no placement table" in refused(path, content) or "none of its rows read" in refused(path, content)


def test_a_cut_table(path: Path) -> None:
    whole = logs.log(ROWS)
    message = refused(path, whole[: whole.index("other") + 9])
    assert "is cut: 2 of its rows read, the last 'softmax'" in message
    assert "take the whole log" in message


def test_a_table_cut_in_its_headings(path: Path) -> None:
    whole = logs.log(ROWS)
    assert "is cut: none of its rows read" in refused(path, whole[: whole.index("conv")])


def test_another_model(path: Path) -> None:
    path.write_text(logs.table(ROWS))
    need_model(read_log(path), ("conv",))
    with pytest.raises(InputError, match=r"2 of its 3 names match no node \('conv', 'softmax'\)"):
        need_model(read_log(path), ("conv", "softmax"))
