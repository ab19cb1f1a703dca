"""Calls from training pipelines: PyTorch modules are exported, checked and followed while they are trained.

torch is imported when something here is called, so that this package imports without it.
"""

from __future__ import annotations

from surgery.training.apply import apply_plan
from surgery.training.audit import audit
from surgery.training.export import export
from surgery.training.monitor import Monitor
from surgery.training.penalty import LatencyPenalty
from surgery.training.prices import Price
from surgery.training.prune import Pruning, prune

__all__ = ["LatencyPenalty", "Monitor", "Price", "Pruning", "apply_plan", "audit", "export", "prune"]
