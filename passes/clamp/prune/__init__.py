"""``mode: prune``: channels go, and the layers that are left are fitted to what was computed before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.clamp.layer import Layer, read
from passes.clamp.prune.choose import Chooser
from passes.clamp.prune.columns import is_product
from passes.clamp.prune.data import Array
from passes.clamp.prune.extent import Counts, Extent
from passes.clamp.prune.goals import Faster, Fewer, Goal, Narrower
from passes.clamp.prune.importance import Subject, scores
from passes.clamp.prune.refit import Refit, Target
from surgery.channels import Channels, Cut, Group, analyse, thinned_layers
from surgery.ir import Node, Tensor
from surgery.pipeline import Outcome, PassRun
from surgery.rewrite import Exactness, Mismatch, Purpose, Rule, Stats
from surgery.rewrite.rewriter import Change, Rewriter
from surgery.rewrite.rule import Context


@dataclass(frozen=True)
class Options:
    """What is asked for; see the fields of the pass."""

    ratio: float | None
    max_channels: int | None
    multiple: int | None
    target_latency_ms: float | None
    importance: str
    refit: bool


class PruneChannels(Rule[None]):
    """Take out channels that matter least, and fit the layers that are left to what was computed before.

    Done for the whole graph at once, since what goes in one place decides what is worth most in another.
    """

    name, roots = "prune-channels", frozenset[str]()
    purpose, exactness = Purpose.ACCELERATE, Exactness.APPROXIMATE

    def match(self, node: Node, ctx: Context) -> Mismatch:
        """Nothing at a single node."""
        return Mismatch("channels are chosen for the whole graph", node, absent=True)

    def rewrite(self, match: None, rw: Rewriter) -> None:
        """Nothing at a single node."""


def prune(by: str, options: Options, run: PassRun) -> Outcome:
    """Take channels out of the model of ``run``; a refusal, in its stats, where that cannot be done."""
    mark = run.rw.editor.mark()
    try:
        return _Prune(by, options, run).outcome()
    except Mismatch as mismatch:
        run.rw.editor.rollback(mark)
        return Outcome(Stats(refused=1, reasons=Counter([mismatch.reason])))


class _Prune:
    def __init__(self, by: str, options: Options, run: PassRun) -> None:
        self.by, self.options, self.run = by, options, run
        self.channels: Channels = analyse(run.model.graph, run.model.opset)
        self.layers = tuple(_readable(self.channels))
        self.groups = [group for group in self.channels.groups if not self._is_protected(group)]

    def outcome(self) -> Outcome:
        """Choose, cut, fit."""
        if not self.groups:
            raise Mismatch(f"no channel can go: {_held(self.channels)}")
        if self.options.refit and not self.run.ctx.samples:
            raise Mismatch("layers are fitted on samples, and nothing is run here: verify, or set refit: false")
        gone = self._chosen()
        if not gone:
            return Outcome()
        before, layers = self.run.model.copy(), thinned_layers(self.channels, gone)
        targets = self._targets(gone)
        rw = self.run.rw
        rw.begin(f"{self.by}/{PruneChannels.name}", self.channels.layers[0][0])
        Cut(self.channels, gone, rw.editor, self.run.model.opset, rw.tensor_name).run()
        fitted = Refit(before, self.run.model, rw, self.run.ctx.samples).run(targets) if self.options.refit else 0
        note = f"{len(gone)} of {sum(len(g.units) for g in self.groups)} channels gone, {fitted} layers fitted"
        return Outcome(_stats([layer.node for layer in layers]), Exactness.APPROXIMATE, note=note, thinned=layers)

    def _chosen(self) -> frozenset[int]:
        subject = Subject(self.run.model, self.channels, self.groups, self.layers, self.run.ctx.samples)
        extent = Extent(self.channels, self.groups, self.layers, scores(self.options.importance, subject))
        chooser = Chooser(extent, self.options.multiple or 1)
        goals = self._goals(extent)
        none: Counts = (0,) * len(extent.units)
        return extent.gone(chooser.reach(goals, none) if goals else chooser.rounded())

    def _goals(self, extent: Extent) -> list[Goal]:
        options, goals = self.options, list[Goal]()
        if options.max_channels is not None:
            goals.append(Narrower(extent, options.max_channels))
        if options.ratio is not None:
            goals.append(Fewer(extent, options.ratio))
        if options.target_latency_ms is not None:
            goals.append(Faster(extent, self.run, options.target_latency_ms))
        if not goals and options.multiple is None:
            raise Mismatch("mode prune needs ratio, max_channels, multiple or target_latency_ms to say how much goes")
        return goals

    def _targets(self, gone: frozenset[int]) -> list[Target]:
        """What the layers from the first cut on computed, in order."""
        lost = np.fromiter(gone, np.int64)
        targets, met = list[Target](), False
        for layer in self.layers:
            met = met or not self._stays(layer.x, layer.in_axis, layer, lost).all()
            if met and is_product(layer) and not self.run.ctx.is_protected(layer.node):
                stays = self._stays(layer.y, layer.out_axis, layer, lost)
                targets.append(Target(layer.node, layer.y.name, stays, layer.out_axis))
        return targets

    def _is_protected(self, group: Group) -> bool:
        return any(self.run.ctx.is_protected(node) for block in group.blocks for node in block.nodes)

    def _stays(self, tensor: Tensor, axis: int, layer: Layer, lost: Array) -> Array:
        """Of every channel of what ``layer`` reads or computes, whether it stays."""
        units = self.channels.units(tensor, axis, layer.node)
        return np.ones(0, np.bool_) if units is None else ~np.isin(units, lost)


def _readable(channels: Channels) -> Sequence[Layer]:
    """The layers whose weight is their second operand; others lose channels with these, and do not count."""
    found = []
    for node, _ in channels.layers:
        try:
            found.append(read(node))
        except Mismatch:
            continue
    return found


def _held(channels: Channels) -> str:
    """Why the channels of the first weights stay."""
    held = next(iter(channels.held), None)
    return "the model has no layer with weights" if held is None else f"those of {held.weight!r} stay for {held.reason}"


def _stats(layers: Sequence[str]) -> Stats:
    """A match for every layer whose weights are smaller."""
    rule = PruneChannels()
    edits = [Change(rule.name, (name,), (name,)) for name in layers]
    fired, rules = Counter({rule.name: len(layers)}), dict[str, Rule[Any]]({rule.name: rule})
    return Stats(matched=len(layers), applied=len(layers), fired=fired, fired_rules=rules, edits=edits)
