"""Accuracy against speed: variants of a pipeline, each rewritten, priced and evaluated; the best of them found.

A :class:`~surgery.tradeoff.space.Space` says which options may be tried, a
:class:`~surgery.tradeoff.strategy.Strategy` which of them are, :mod:`surgery.tradeoff.workers` where, and
:func:`~surgery.tradeoff.trial.trial` what is measured of each.
"""

from __future__ import annotations

from surgery.tradeoff.derive import derived
from surgery.tradeoff.space import Space
from surgery.tradeoff.study import search
from surgery.tradeoff.trial import Setup

__all__ = ["Setup", "Space", "derived", "search"]
