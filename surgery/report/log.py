"""What a log of the vendor's toolchain changed, as a part of the documents."""

from __future__ import annotations

from surgery.report.base import Part, Text
from surgery.report.witness import Disagreement


class LogPart(Part):
    """The log that verdicts were taken from: nodes it places otherwise than we do, and names that lead to no node.

    ``table`` says which one it was where the log holds several. ``rows`` counts its rows, ``nodes`` the nodes whose
    device it tells, ``agreed`` those that we place alike without it; ``inserted`` are rows that the toolchain put in.
    ``march`` is the one that the log names, "" where it names none.
    """

    path: Text
    march: str = ""
    table: str = ""
    rows: int
    nodes: int
    agreed: int
    disagreements: tuple[Disagreement, ...] = ()
    inserted: tuple[Text, ...] = ()
    unmatched: tuple[Text, ...] = ()
