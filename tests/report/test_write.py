"""Reports as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from surgery.errors import InputError
from surgery.report.write import check_report, check_writable, write_report, write_text
from tests.report import samples


@pytest.mark.parametrize(
    ("name", "start"), [("r.html", "<!doctype"), ("r.md", "# Surgery"), ("r.json", '{\n  "schema')]
)
def test_the_suffix_names_the_format(tmp_path: Path, name: str, start: str) -> None:
    write_report([samples.run()], tmp_path / name)
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"(?s)no report format for '.pdf'.*use .html, .htm, .md, .json"):
        check_report(tmp_path / "r.pdf")


@pytest.mark.parametrize(("place", "reason"), [("nowhere/r.md", "No such file"), (".", "is a folder")])
def test_an_unwritable_place_is_found_before_any_work(tmp_path: Path, place: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        check_writable(tmp_path / place)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    old = tmp_path / "r.md"
    old.write_text("old")
    monkeypatch.setattr(step, _full)
    with pytest.raises(InputError, match="No space left"):
        write_text("new", old)
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def _full(*_args: object) -> None:
    raise OSError(28, "No space left on device")


def test_documents_write_themselves(tmp_path: Path) -> None:
    report = samples.run()
    for name, write in (("r.html", report.to_html), ("r.md", report.to_markdown), ("r.json", report.to_json)):
        assert write(tmp_path / name) == (tmp_path / name).read_text(encoding="utf-8")
