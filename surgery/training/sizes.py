"""The attributes of PyTorch's layers that state numbers of channels, as their weights have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from surgery.channels import Kept
from surgery.training.torches import need

if TYPE_CHECKING:
    from torch import nn

Sizes: TypeAlias = "Mapping[str, object]"


def sizes(layer: nn.Module, kept: Mapping[str, Kept]) -> Sizes:
    """Attributes and their values for the layer's weights as they are; none for a layer that states none.

    Args:
        layer: thinned, but for its attributes.
        kept: what stayed of its own parameters and buffers, by name.
    """
    if isinstance(layer, need("torch.nn").GroupNorm):
        return _group_norm(layer, kept["weight"])
    for kind, found in _kinds():
        if isinstance(layer, kind):
            return found(layer)
    return {}


def _kinds() -> list[tuple[Any, Callable[[Any], Sizes]]]:
    nn = need("torch.nn")
    conv = nn.modules.conv
    return [
        (conv._ConvTransposeNd, _conv_transpose),
        (conv._ConvNd, _conv),
        (nn.modules.batchnorm._NormBase, _batch_norm),
        (nn.Linear, lambda layer: {"out_features": layer.weight.shape[0], "in_features": layer.weight.shape[1]}),
        (nn.Embedding, lambda layer: {"embedding_dim": layer.weight.shape[1]}),
        ((nn.LayerNorm, nn.RMSNorm), lambda layer: {"normalized_shape": tuple(layer.weight.shape)}),
        (nn.PReLU, lambda layer: {"num_parameters": layer.weight.numel()}),
    ]


def _conv(layer: Any) -> Sizes:
    """Weight [O, I/g, ...]; a depthwise convolution keeps the outputs of every channel, others their groups."""
    out, per_group = layer.weight.shape[:2]
    depthwise = layer.groups > 1 and layer.groups == layer.in_channels
    groups = out // (layer.out_channels // layer.groups) if depthwise else layer.groups
    return {"out_channels": out, "in_channels": groups * per_group, "groups": groups}


def _conv_transpose(layer: Any) -> Sizes:
    """Weight [I, O/g, ...]."""
    inputs, per_group = layer.weight.shape[:2]
    groups = inputs if layer.groups > 1 and layer.groups == layer.in_channels else layer.groups
    return {"in_channels": inputs, "out_channels": groups * per_group, "groups": groups}


def _batch_norm(layer: Any) -> Sizes:
    vector = layer.running_mean if layer.weight is None else layer.weight
    return {"num_features": vector.shape[0]}


def _group_norm(layer: Any, kept: Kept) -> Sizes:
    """Groups that are gone as a whole do not count any more."""
    size = layer.num_channels // layer.num_groups
    groups = {index // size for index in kept.keep[0]}
    return {"num_channels": layer.weight.shape[0], "num_groups": len(groups)}
