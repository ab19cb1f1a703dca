"""What does not depend on the inputs: constants computed, branches taken, loops unrolled."""

from passes.fold.constants import FoldConstants
from passes.fold.unroll import UnrollLoops

__all__ = ["FoldConstants", "UnrollLoops"]
