"""The Python interface: the verbs of the command line as functions, their flags as parameters.

Every function takes a model as a path, the bytes of a file, a ModelProto, a :class:`surgery.Model`, or a PyTorch module
with an ``example`` of its inputs, and never changes it. Documents are the ones that ``--json`` writes.
"""

from surgery.api.compare import bisect, diff
from surgery.api.files import calibrate, config, lint, profile
from surgery.api.look import check, cost, cost_diff, costed, explain, marches, passes
from surgery.api.rewrite import Pipeline, Run, run
from surgery.api.search import tradeoff
from surgery.versions import versions

__all__ = [
    "Pipeline", "Run", "bisect", "calibrate", "check", "config", "cost", "cost_diff", "costed", "diff", "explain",
    "lint", "marches", "passes", "profile", "run", "tradeoff", "versions",
]  # fmt: skip
