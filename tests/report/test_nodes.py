"""The table of nodes: which rows, in which order, and what each says."""

from __future__ import annotations

import pytest

from surgery.report.check import NodeRow, Violation
from surgery.report.view.content import Note
from surgery.report.view.nodes import Listing, node_table
from surgery.report.view.placed import check_page
from tests.report import samples

KERNEL = samples.violation()
WIDTH = Violation(constraint="Conv.kernel_w", found=9, allowed="1..7")
ROWS = (
    NodeRow(name="d", op="Conv", device="bpu", segment=0, macs=10),
    NodeRow(name="b", op="Relu", device="folded", segment=None, note="into d"),
    NodeRow(name="c", op="Conv", device="cpu", segment=None, macs=30, violations=(KERNEL, WIDTH)),
    NodeRow(name="a", op="Mish", device="unknown", segment=None, note="no public row"),
    NodeRow(name="e", op="Add", device="refused", segment=None, violations=(WIDTH,)),
    NodeRow(name="f", op="Conv", device="bpu", segment=1, macs=10),
)


def shown(listing: Listing) -> str:
    return "".join(row.name for row in listing.rows(ROWS))


@pytest.mark.parametrize(
    ("by", "order"),
    [("graph", "dbcaef"), ("name", "abcdef"), ("op", "edcfab"), ("device", "ecadfb"), ("macs", "cdfbae")],
)
def test_order(by: str, order: str) -> None:
    assert shown(Listing(by=by)) == order


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ({"bpu"}, "df"),
        ({"cpu"}, "c"),
        ({"folded"}, "b"),
        ({"refused"}, "e"),
        ({"unknown"}, "a"),
        ({"cpu", "bpu"}, "dcf"),
    ],
)
def test_only(only: set[str], left: str) -> None:
    assert shown(Listing(frozenset(only))) == left


def test_a_row_is_like_the_vendors_with_limit_and_cure() -> None:
    table = node_table(ROWS)
    assert [c.title for c in table.columns] == [
        "Node", "ON", "Subgraph", "Type", "MACs", "Limit broken", "Cured by", "Note",
    ]  # fmt: skip
    cells = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert cells["d"] == ["BPU", "id(0)", "Conv", "10", "", "", ""]
    assert cells["b"] == ["folded", "", "Relu", "", "", "", "into d"]
    assert cells["c"][4:6] == [
        "Conv.kernel_h is 9, allowed 1..7; Conv.kernel_w is 9, allowed 1..7",
        "split-kernels (no pass for Conv.kernel_w)",
    ]
    assert cells["a"][0] == "unknown"
    assert cells["e"][5] == "no pass"


def test_a_listing_that_is_asked_for_is_no_detail() -> None:
    document = samples.check()
    usual = check_page(document).sections[-1]
    asked = check_page(document, Listing(frozenset({"cpu", "unknown"}), "name")).sections[-1]
    assert (usual.title, usual.detail) == ("Node by node", True)
    assert (asked.title, asked.detail) == ("Node by node: cpu, unknown only", False)
    assert [row[0].text for row in asked.blocks[0].rows] == ["conv_1", "mish"]
    assert not check_page(document, Listing(by="macs")).sections[-1].detail


def test_a_listing_without_nodes_says_so() -> None:
    section = check_page(samples.check(), Listing(frozenset({"refused"}))).sections[-1]
    assert section.blocks == (Note("None.", "muted"),)


def test_a_listing_leaves_the_summary_alone() -> None:
    document = samples.check()
    assert check_page(document, Listing(frozenset({"bpu"}))).facts == check_page(document).facts
