"""``python -m surgery``: the same as the ``surgery`` command."""

from __future__ import annotations

from surgery.cli import main

main()
