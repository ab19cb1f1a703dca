"""Content of simulated int8: outputs of both models, the layers that suffer, and what 16 bits would help."""

from __future__ import annotations

from collections.abc import Sequence

from surgery.report.simulated import LayerSqnr, SimulatedDiff, SimulatedOutputs
from surgery.report.text import listed, number, plural
from surgery.report.view.content import Block, Cell, Note, code, table

LISTED = 10
"""Layers that are shown, the worst first."""


def simulated_blocks(found: SimulatedDiff | None) -> tuple[Block, ...]:
    """What the integers of a march do; nothing when that was not asked."""
    if found is None:
        return ()
    said = (
        f"Each model with the integers of {found.march} against itself in float, run by onnxruntime; thresholds by "
        f"{found.method} over {plural(found.samples, 'sample')}. No toolchain was asked."
    )
    head = "Model|Output|#Largest difference|#Over range|#Cosine|#SQNR dB"
    outputs = table(head, [row for side in found.rows for row in _outputs(side)])
    worst = sorted(found.layers, key=lambda layer: layer.after or 0.0)[:LISTED]
    worse = [layer for layer in found.layers if layer.worse]
    lowest = (_layers(worst, "The lowest SQNR"),) if worst else ()
    return (Note(said, "muted"), outputs, *_nothing(found), *_assumed(found), *_said(found, worse), *lowest)


def _nothing(found: SimulatedDiff) -> tuple[Block, ...]:
    """The models whose outputs say nothing of int8."""
    said = "no float32 value of it is computed on the BPU, so that its outputs say nothing of int8."
    return tuple(
        Note(f"Nothing of {side.model} was rounded: {said}", "warn") for side in found.rows if not side.rounded
    )


def _assumed(found: SimulatedDiff) -> tuple[Block, ...]:
    """That the limits of the march leave some nodes open."""
    most = max((side.assumed for side in found.rows), default=0)
    said = f"{plural(most, 'node')} of unknown device count as on the BPU, and may be in float on the CPU."
    return (Note(said, "warn"),) if most else ()


def _said(found: SimulatedDiff, worse: Sequence[LayerSqnr]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if worse:
        blocks += [
            Note(f"{plural(len(worse), 'layer')} of B lost more than 3 dB.", "warn"),
            _layers(worse, "Worse than in A"),
        ]
    if found.int16:
        blocks.append(Note(f"16 bits would help: {listed(found.int16)} (node_info, OutputType int16).", "warn"))
    return tuple(blocks)


def _outputs(side: SimulatedOutputs) -> list[list[Cell | str]]:
    name = f"{side.model}, int16 where suggested" if side.int16 else side.model
    return [
        [
            name,
            code(out.name),
            number(out.max_abs),
            number(out.rel_to_range),
            number(out.cosine, 6),
            number(out.sqnr_db),
        ]
        for out in side.outputs
    ]


def _layers(layers: Sequence[LayerSqnr], caption: str) -> Block:
    rows = map(_layer, layers)
    return table("Node|Operator|Value|#SQNR dB in A|#in B", rows, caption)


def _layer(layer: LayerSqnr) -> list[Cell | str]:
    return [code(layer.node), layer.op, code(layer.value), number(layer.before), number(layer.after)]
