"""Content of ``explain``, ``bisect`` and the catalogues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from surgery.report.calibration import CalibrationDocument
from surgery.report.catalogue import MarchEntry, MarchesDocument, Option, PassEntry, PassesDocument
from surgery.report.text import listed, number
from surgery.report.trace import BisectDocument, ExplainDocument, Reason, Weighed
from surgery.report.verdict import closing
from surgery.report.view.content import Block, Cell, Note, Page, Section, Table, code, table
from surgery.report.view.log import log_section


def explain_page(document: ExplainDocument) -> Page:
    """What fires, the reasons for refusing by frequency, and node by node."""
    fires = [r for r in document.reasons if r.fires]
    refuses = [r for r in document.reasons if not r.fires]
    sections = (
        Section("Fires", (_reasons(fires),) if fires else ()),
        Section("Chosen among", _weighed(fires)),
        Section("Refuses", (_grouped(refuses),) if refuses else ()),
        log_section(document.log),
        Section("Refusals node by node", (_reasons(refuses),) if refuses else (), detail=True),
    )
    kept = tuple(s for s in sections if s.blocks)
    facts = (
        ("Fires", Cell(str(len(fires)), "good" if fires else "")),
        ("Refuses", Cell(str(len(refuses)))),
        ("The pass as a whole", Cell(document.status)),
    )
    return Page(f"Explain {document.by}", document.model.path or "in memory", facts, kept, closing(document))


def _reasons(reasons: Sequence[Reason]) -> Table:
    rows = ((code(r.node), code(r.op), r.rule, r.outcome, r.reason, code(r.at)) for r in reasons)
    return table("Node|Operator|Rule|Outcome|Reason|At", rows)


def _weighed(reasons: Sequence[Reason]) -> tuple[Block, ...]:
    """The ways of every node that had a choice, with what each is predicted to take."""
    rows = [
        (code(r.node), way.rule, way.plan or "–", _outcome(way), number(way.us), way.reason)
        for r in reasons
        for way in r.ways
    ]
    return (table("Node|Rule|Plan|Outcome|#Predicted us|Why not", rows),) if rows else ()


def _outcome(way: Weighed) -> Cell:
    return Cell(way.outcome, "good" if way.outcome == "chosen" else "bad" if way.outcome == "refused" else "")


def _grouped(reasons: Sequence[Reason]) -> Table:
    many = Counter((r.rule, r.outcome, r.reason) for r in reasons)
    first = {(r.rule, r.outcome, r.reason): r.node for r in reversed(reasons)}
    rows = ((*key, str(count), code(first[key])) for key, count in many.most_common())
    return table("Rule|Outcome|Reason|#Nodes|First", rows)


def bisect_page(document: BisectDocument) -> Page:
    """The guilty pass and match."""
    guilty = code(document.guilty, "bad") if document.guilty else Cell("none", "good")
    facts = [
        ("Guilty pass", guilty),
        ("Passes tried", Cell(str(len(document.passes)))),
        ("Run on", Cell(document.inputs)),
    ]
    if document.match is not None:
        facts += [
            ("Match", Cell(f"{document.match} of {document.matches}")),
            ("Rule", code(document.rule or "–")),
            ("Nodes", code(listed(document.nodes) or "–")),
        ]
    return Page("Bisect", document.model.path or "in memory", tuple(facts), (), closing(document))


def calibration_page(document: CalibrationDocument) -> Page:
    """The errors before and after, the coefficients that moved, and those that could not be told."""
    rows = (
        (code(m.model), m.figure, m.source, number(m.measured), number(m.shipped), number(m.left_out))
        for m in document.measurements
    )
    moved = (
        (code(c.name), f"x {c.factor:.3f}", f"x {c.low:g} to {c.high:g}") for c in document.coefficients if c.identified
    )
    unknown = [c.name for c in document.coefficients if not c.identified]
    kept = (Note(f"Not identified, left as shipped: {', '.join(unknown)}."),) if unknown else ()
    sections = (
        Section("Coefficients", (table("Coefficient|#Factor|#Spread", moved), *kept)),
        Section("Measurements", (table("Model|Figure|Told by|#Measured, ms|#Shipped|#By the others", rows),)),
    )
    facts = tuple(
        (title, Cell(f"median {median(found):.1f} %, worst {found[-1]:.1f} %"))
        for title, found in (
            ("Error as shipped", document.errors("shipped")),
            ("Leave one out", document.errors("left_out")),
        )
    )
    return Page(f"Calibration of {document.march}", "", facts, sections, closing(document))


def passes_page(document: PassesDocument) -> Page:
    """The catalogue of passes, and the options of each."""
    catalogue = table("Pass|Purpose|Exactness|By default|What it does", map(_pass, document.passes))
    sections = [Section("Passes", (catalogue,))]
    sections += [Section(entry.name, _pass_blocks(entry), detail=True) for entry in document.passes]
    return Page("Passes", "", (), tuple(sections))


def _pass(entry: PassEntry) -> list[Cell | str]:
    default = Cell("yes", "good") if entry.default else Cell("no", "muted")
    return [code(entry.name), entry.purpose, entry.exactness, default, entry.summary]


def _pass_blocks(entry: PassEntry) -> tuple[Block, ...]:
    facts = (("Cures", code(", ".join(entry.cures) or "–")), ("Runs after", code(", ".join(entry.after) or "–")))
    options = (table("Option|Type|Default|Meaning", map(_option, entry.options)),) if entry.options else ()
    return (table("Fact|Value", facts), *options)


def _option(option: Option) -> list[Cell | str]:
    return [code(option.name), option.type, code(option.default), option.description]


def marches_page(document: MarchesDocument) -> Page:
    """The marches, and the sources of each."""
    rows = map(_march, document.marches)
    sections = [Section("Marches", (table("March|Boards|#Operators|#Limits|Estimates", rows),))]
    sections += [
        Section(entry.name, (table("Source", ((source,) for source in entry.sources)),), detail=True)
        for entry in document.marches
        if entry.sources
    ]
    return Page("Marches", "", (), tuple(sections))


def _march(entry: MarchEntry) -> list[Cell | str]:
    estimates = Cell("yes", "good") if entry.estimates else Cell("no", "muted")
    return [code(entry.name), ", ".join(entry.aliases), str(entry.ops), str(entry.constraints), estimates]
