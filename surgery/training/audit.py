"""Which line of a module's code makes which node leave the BPU."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING

from surgery.pipeline.cures import cures
from surgery.pipeline.view import folded, place_as_seen
from surgery.report.audit import AuditDocument, Found, Line
from surgery.report.check import CheckDocument, check_document
from surgery.target import load_target
from surgery.training.export import export
from surgery.training.locations import Location, location, module_path

if TYPE_CHECKING:
    from torch import nn

    from surgery.ir import Model
    from surgery.training.example import Example

OFF = ("cpu", "refused", "unknown")
"""The devices of nodes that are not known to run on the BPU."""


def audit(
    module: nn.Module,
    example: Example,
    *,
    march: str,
    assume: str | None = None,
    opset: int | None = None,
    exporter: str | None = None,
) -> AuditDocument:
    """The lines of ``module``'s code whose nodes do not run on the BPU of ``march``, with the limits and the cures.

    A line is the innermost one of a call that is not torch's own: that of ``self.norm(x)`` for a layer of torch.
    What was exported from containers of torch alone has no such line, only the path of its sub-module.

    Args:
        module: what is exported; see :func:`surgery.training.export` for it and for ``example``, ``opset`` and
            ``exporter``.
        example: inputs of its ``forward``.
        march: name, board or march file.
        assume: march whose limits stand in for unknown ones.
        opset: of the model.
        exporter: ``legacy`` or ``dynamo``.

    Raises:
        InputError: something given cannot be used, or the module cannot be exported.
    """
    target = load_target(march, assume)
    model = export(module, example, opset=opset, exporter=exporter, locations=True)
    twin = folded(model)
    placement = place_as_seen(model, target, twin)
    checked = check_document(model, placement, cures(twin, placement))
    return AuditDocument(
        module=type(module).__name__,
        model=checked.model,
        march=checked.march,
        refusals=checked.refusals,
        summary=checked.summary,
        lines=_lines(model, checked, {path for path, _ in module.named_modules()}),
    )


def _lines(model: Model, checked: CheckDocument, known: Collection[str]) -> tuple[Line, ...]:
    """The nodes off the BPU by line, those with most nodes first; those without a line last."""
    nodes = {node.name: node for node in model.nodes()}
    groups: dict[Location, list[Found]] = defaultdict(list)
    for row in checked.nodes:
        if row.device in OFF:
            node = nodes[row.name]
            groups[location(node)].append(Found(module=module_path(node, known), node=row))
    ordered = sorted(groups.items(), key=lambda group: (group[0].file is None, -len(group[1])))
    return tuple(Line(file=at.file, line=at.line, text=at.text, found=tuple(found)) for at, found in ordered)
