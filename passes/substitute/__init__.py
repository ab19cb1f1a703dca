"""Write operators that a march has no BPU kernel for, or that are too young for its toolchain, as others.

One family per file; :data:`RULES` is the catalogue, in the order the rules are tried at a node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import field_validator

from passes.substitute import (
    activations,
    arithmetic,
    blocks,
    bounds,
    cropped,
    equations,
    grids,
    groups,
    hot,
    layers,
    normalisation,
    norms,
    pads,
    phases,
    plain,
    pools,
    products,
    reductions,
    resizing,
    triangles,
    written,
)
from surgery.errors import unknown
from surgery.pipeline import Pass
from surgery.rewrite import Rule

RULES: tuple[Rule[Any], ...] = (
    activations.HardSwish(),
    activations.Mish(),
    activations.Swish(),
    activations.GeluErf(),
    activations.GeluTanh(),
    activations.PRelu(),
    activations.Celu(),
    activations.ThresholdedRelu(),
    activations.SoftShrink(),
    arithmetic.NegAsMul(),
    arithmetic.SubAsAdd(),
    arithmetic.AddAsDepthwise(),
    written.WrittenLayerNorm(),
    arithmetic.DivAsMul(),
    arithmetic.ConstantOverValue(),
    arithmetic.OneExponent(),
    arithmetic.PowAsProducts(),
    arithmetic.SumAsAdds(),
    arithmetic.MeanAsAdds(),
    arithmetic.ModAsRemainder(),
    bounds.BoundAsClip(),
    bounds.MinAsMax(),
    bounds.WhereAsSum(),
    reductions.SortAxes(),
    reductions.MaxAsPool(),
    reductions.SumAsMean(),
    reductions.ChannelsAsConv(),
    reductions.ChainAxes(),
    reductions.ReduceMin(),
    reductions.ProdAsMuls(),
    reductions.ArgMin(),
    reductions.ReduceL1(),
    reductions.ReduceSquares(),
    reductions.ReduceLogSum(),
    reductions.ReduceLogSumExp(),
    reductions.LogSoftmax(),
    layers.LayerNormalization(),
    layers.RMSNormalization(),
    normalisation.MeanVarianceNormalization(),
    normalisation.GroupNormalization(),
    normalisation.ReshapedGroupNorm(),
    normalisation.GroupNormOfMaps(),
    groups.GroupNormByReshape(),
    norms.LRN(),
    norms.LpNormalization(),
    hot.OneHotOfMaximum(),
    products.CumSum(),
    products.GemmAsMatMul(),
    products.Einsum(),
    equations.EinsumByPairs(),
    triangles.Trilu(),
    grids.AffineGrid(),
    blocks.Col2Im(),
    resizing.NearestAsConvTranspose(),
    phases.ConvTransposeAsConv(),
    cropped.ConvTransposeCropped(),
    phases.CubicAsConv(),
    pads.PadAsConcat(),
    pools.MaxPoolCascade(),
    pools.AveragePoolCascade(),
    *plain.RULES,
)
"""Every substitution, in the order they are tried at a node."""


class SubstituteOps(Pass):
    """Write operators that run on the CPU as operators that run on the BPU, where these compute the same.

    Only nodes over a limit of the march are touched, and only where everything that stands for them is legal there
    and not predicted to be slower. Activations come out in the form that the vendor's optimiser makes one
    lookup of.
    """

    name: ClassVar[str] = "substitute-ops"

    skip: tuple[str, ...] = ()
    """Rules to leave out, by name."""

    @field_validator("skip")
    @classmethod
    def _known(cls, skip: tuple[str, ...]) -> tuple[str, ...]:
        names = [rule.name for rule in RULES]
        for name in skip:
            if name not in names:
                raise ValueError(str(unknown("substitution", name, names)))
        return skip

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """The catalogue without what is skipped."""
        return [rule for rule in RULES if rule.name not in self.skip]
