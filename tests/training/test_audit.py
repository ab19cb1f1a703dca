"""Which line of the module's code makes which node leave the BPU."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from torch import nn

from surgery.errors import InputError
from surgery.report.audit import AuditDocument, Found, Line
from surgery.report.check import NodeRow
from surgery.training import audit
from tests.support import ROOT
from tests.training import modules
from tests.training.modules import SUMMED, Twice, around, image


@pytest.fixture(scope="module")
def found() -> AuditDocument:
    return audit(Twice(), image(), march="X5")


def test_a_line_is_named_with_its_nodes_their_modules_limits_and_cures(found: AuditDocument) -> None:
    (line,) = found.lines
    code = Path(modules.__file__).read_text("utf-8").splitlines()
    assert (line.file, line.text) == (modules.__file__, SUMMED)
    assert code[(line.line or 0) - 1].strip() == SUMMED
    assert [(each.module, each.node.op, each.node.device) for each in line.found] == [
        ("body.0", "CumSum", "cpu"),
        ("body.1", "CumSum", "cpu"),
    ]
    for each in line.found:
        (broken,) = each.node.violations
        assert (broken.constraint, broken.cured_by) == ("CumSum.device", ("substitute-ops",))


def test_printing_it_lists_the_lines(found: AuditDocument) -> None:
    first, place, *nodes = str(found).splitlines()
    assert first == "2 nodes of Twice off the BPU of bayes-e, 1 line of code"
    assert place == f"{modules.__file__}:{found.lines[0].line}  {SUMMED}"
    assert len(nodes) == 2
    assert "CumSum /body/body.0/CumSum in body.0: cpu, " in nodes[0]
    assert nodes[0].endswith("cured by substitute-ops")


def test_what_containers_of_torch_make_has_a_module_and_no_line() -> None:
    (line,) = audit(around(nn.Softsign()), image(), march="X3").lines
    assert (line.file, line.line, line.text) == (None, None, "")
    assert {each.module for each in line.found} == {"1.1"}


def test_a_module_that_fits_has_nothing_to_say() -> None:
    document = audit(around(nn.ReLU()), image(), march="X5")
    assert (document.lines, str(document)) == ((), "every node of Sequential that runs is on the BPU of bayes-e")


def test_the_document_follows_its_schema_and_has_a_page(found: AuditDocument) -> None:
    schema = json.loads((ROOT / "docs" / "schemas" / "surgery.audit.1.json").read_text("utf-8"))
    jsonschema.validate(json.loads(found.to_json()), schema)
    assert AuditDocument.from_json(found.to_json()) == found
    assert "torch.cumsum(self.act(x), 1)" in found.to_html()


def test_names_and_code_are_shown_as_text() -> None:
    row = NodeRow(name="\x1b[31m<b>", op="CumSum", device="cpu", segment=None)
    line = Line(file="\x1b]0;", line=1, text="<script>", found=(Found(module="\n", node=row),))
    document = audit(nn.ReLU(), image(), march="X5").model_copy(update={"lines": (line,)})
    assert "\x1b" not in str(document)
    assert "<script>" not in document.to_html().partition("<body")[2]


@pytest.mark.parametrize(
    ("march", "said"), [("bayes-f", "unknown march 'bayes-f'(.|\n)*did you mean bayes-e"), ("X5", "svd")]
)
def test_what_cannot_be_audited_is_refused(march: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        audit(around(modules.Unexportable()), image(), march=march)
