"""Take linear operators that stand beside or behind each other together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from passes.linear.averages import AverageByMap
from passes.linear.batchnorm import FuseAfter, FuseBefore
from passes.linear.blocks import GroupBlocks
from passes.linear.branches import MergeBranches
from passes.linear.compose import ComposeConvs
from passes.linear.dilated import Undilate
from passes.linear.scales import TakeScale
from passes.linear.stages import StageStride
from passes.linear.taps import DropIdleTaps, TileKernel
from surgery.pipeline import Pass
from surgery.rewrite import Rule


class FuseBatchNorm(Pass):
    """Fold BatchNormalization into the convolution or Gemm before it, or else after it.

    Weights are computed in float64. Training mode and what anything else reads are left alone.
    """

    name: ClassVar[str] = "fuse-batchnorm"
    after: ClassVar[frozenset[str]] = frozenset({"fold-constants", "remove-noops"})

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """Into the operator before is tried first."""
        return (FuseBefore(), FuseAfter())


class FuseConvs(Pass):
    """Compute parallel and consecutive convolutions of one tensor as one, where that takes no more products.

    The branches of re-parameterised blocks in the form in which they were trained, convolutions without anything
    between them, factors and shifts per channel before a convolution, and the slices of a Focus stem; the scale of
    attention goes into the weights of its queries, weights that only meet padding go, and zeros between blocks of
    channels become groups where that is predicted to be faster. The vendor's optimiser leaves all of these as they are.
    Weights are computed in float64.
    """

    name: ClassVar[str] = "fuse-convs"
    after: ClassVar[frozenset[str]] = frozenset({"fuse-batchnorm"})

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """Weights that do nothing first; then branches, whose sum may be one of two in a row; groups last."""
        return (DropIdleTaps(), MergeBranches(), ComposeConvs(), TakeScale(), GroupBlocks())


class TileKernels(Pass):
    """Compute convolutions whose kernel, stride or dilation the march does not take, or not well, as others.

    A dilation that is not taken, or not with the stride, or slower than products with zeros, goes as zeros between the
    taps; a large kernel as a sum of smaller ones; patches that lie side by side, as in front of a transformer, in
    stages of two by two places; averages that divide by less at the edge of a map as a convolution and a product.
    """

    name: ClassVar[str] = "tile-kernels"

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """In stages first: patches over the limits need no parts then. What is dilated after that the march takes."""
        return (StageStride(), TileKernel(), Undilate(), AverageByMap())


__all__ = ["FuseBatchNorm", "FuseConvs", "TileKernels"]
