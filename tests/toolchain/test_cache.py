from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from surgery.toolchain.cache import DRAFT_SECONDS, Cache, default_root, key


def entry(folder: Path, content: str) -> Path:
    folder.mkdir()
    (folder / "said.txt").write_text(content)
    return folder


def test_put_and_get(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    assert cache.get("a") is None
    cache.put("a", entry(tmp_path / "new", "hello"))
    found = cache.get("a")
    assert found is not None
    assert (found / "said.txt").read_text() == "hello"


def test_two_at_once_leave_one_whole_entry(tmp_path: Path) -> None:
    folder = entry(tmp_path / "new", "hello")
    with ThreadPoolExecutor(4) as pool:
        places = set(pool.map(lambda _: Cache(tmp_path / "cache").put("a", folder), range(8)))
    assert len(places) == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["a"]


def test_oldest_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", size=35)
    for age, name in enumerate("abc"):
        cache.put(name, entry(tmp_path / name, "0123456789"))
        os.utime(cache.root / name, (age, age))
    assert cache.get("a") is not None  # used now
    cache.put("d", entry(tmp_path / "d", "0123456789"))
    assert sorted(path.name for path in cache.root.iterdir()) == ["a", "c", "d"]


def test_a_new_entry_stays_whatever_its_size(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", size=1)
    assert cache.put("a", entry(tmp_path / "new", "0123456789")).exists()


def test_what_a_killed_process_left_half_written_goes(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    for name, age in ((".new-left", 2 * DRAFT_SECONDS), (".new-at-work", 0)):
        draft = cache.root / name
        draft.mkdir(parents=True)
        os.utime(draft, (time.time() - age,) * 2)
    cache.put("a", entry(tmp_path / "new", "hello"))
    assert sorted(path.name for path in cache.root.iterdir()) == [".new-at-work", "a"]


def test_key_tells_parts_apart() -> None:
    assert key("ab", "c") != key("a", "bc")
    assert key("a", {"x": 1}) == key("a", {"x": 1})


def test_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_root() == Path("/somewhere/surgery/witness")
