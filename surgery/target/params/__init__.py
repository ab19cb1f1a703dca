"""Named parameters of nodes, which the limits of chips are written in. To add one, write it in one of these modules."""

from surgery.target.params import axes, crashes, operands, tensors, windows
from surgery.target.params.core import PARAMS, Params, Unknown
from surgery.target.params.work import macs

__all__ = ["PARAMS", "Params", "Unknown", "axes", "crashes", "macs", "operands", "tensors", "windows"]
