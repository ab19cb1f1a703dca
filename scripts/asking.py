"""What scripts that put networks to the vendor's toolchain share: the open witness, or one message without it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable

from surgery.errors import SurgeryError
from surgery.toolchain import Witness, find
from surgery.toolchain.install import MARCHES
from surgery.toolchain.witness import CHECK_SECONDS

__all__ = ["MARCHES", "arguments", "asked"]


def arguments(parser: ArgumentParser) -> None:
    """The options that say whom to ask, about which marches."""
    parser.add_argument(
        "--march", action="append", choices=MARCHES, help=f"repeatable; by default {', '.join(MARCHES)}"
    )
    parser.add_argument("--witness", default="auto", metavar="DIR", help="where the toolchain is")


def asked(where: str, call: Callable[[Witness], object], limit: float = CHECK_SECONDS) -> int:
    """Call with the witness at ``where``, and return 0; 2, with the reason on stderr, when there is none.

    ``limit`` is how many seconds a check may take.
    """
    try:
        installation = find(where)
    except SurgeryError as error:
        print(error, file=sys.stderr)
        return 2
    with Witness(installation, check_seconds=limit) as witness:
        call(witness)
    return 0
