"""torch-pruning on the network of an ONNX graph: the peer of ``bench_prune.py``. Needs torch and torch-pruning."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch_pruning as tp

from surgery.ir import Constant, Model, Node, ops

Tensors = dict[str, "torch.Tensor"]


class Network(torch.nn.Module):
    """The graph of an ONNX model, node by node: convolutions and matrix products as modules, the rest as functions."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.graph = model.graph
        self.layers = torch.nn.ModuleDict({_key(n): _layer(n) for n in self.graph.nodes if n.op in LAYERS})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The first output, for the first input."""
        known: Tensors = {self.graph.inputs[0].name: x}
        for node in self.graph.nodes:
            read = [_read(t, known) for t in node.inputs]
            found = self.layers[_key(node)](read[0]) if node.op in LAYERS else FUNCTIONS[node.op](node, read)
            known[node.outputs[0].name] = found
        return known[self.graph.outputs[0].name]


def _key(node: Node) -> str:
    return node.name.replace(".", "_")


def _read(tensor: Any, known: Mapping[str, torch.Tensor]) -> Any:
    return torch.tensor(np.array(tensor.values)) if isinstance(tensor, Constant) else known.get(tensor.name)


def _layer(node: Node) -> torch.nn.Module:
    weight = torch.tensor(np.array(node.inputs[1].values))
    bias = None if node.input(2) is None else torch.tensor(np.array(node.inputs[2].values))
    if node.op == "BatchNormalization":
        return _batch_norm(node)
    layer = _conv(node, weight, bias) if node.op == "Conv" else _linear(node, weight, bias)
    layer.weight.data = weight if node.op == "Conv" or node.attrs.get("transB") else weight.T.contiguous()
    if bias is not None:
        layer.bias.data = bias
    return layer


def _conv(node: Node, weight: torch.Tensor, bias: torch.Tensor | None) -> Any:
    pads, groups = ops.pads(node) or [0, 0, 0, 0], int(ops.attr(node, "group", 1))
    strides, dilations = ops.spatial(node, "strides", 2), ops.spatial(node, "dilations", 2)
    window: dict[str, Any] = {"kernel_size": tuple(weight.shape[2:]), "stride": tuple(strides)}
    window |= {"padding": tuple(pads[:2]), "dilation": tuple(dilations), "groups": groups, "bias": bias is not None}
    return torch.nn.Conv2d(weight.shape[1] * groups, weight.shape[0], **window)


def _linear(node: Node, weight: torch.Tensor, bias: torch.Tensor | None) -> Any:
    turned = int(ops.attr(node, "transB", 0))
    return torch.nn.Linear(weight.shape[turned], weight.shape[1 - turned], bias is not None)


def _batch_norm(node: Node) -> torch.nn.Module:
    scale, shift, mean, var = (torch.tensor(np.array(t.values)) for t in node.inputs[1:])
    norm = torch.nn.BatchNorm2d(len(scale), eps=float(ops.attr(node, "epsilon", 1e-5)))
    norm.load_state_dict({"weight": scale, "bias": shift, "running_mean": mean, "running_var": var}, strict=False)
    return norm


def _clip(node: Node, read: list[Any]) -> Any:
    low, high = ops.clip_bounds(node) or (None, None)
    return torch.clamp(read[0], low, high)


def _hard_sigmoid(node: Node, read: list[Any]) -> Any:
    return torch.clamp(float(ops.attr(node, "alpha", 0.2)) * read[0] + float(ops.attr(node, "beta", 0.5)), 0, 1)


LAYERS = frozenset({"BatchNormalization", "Conv", "Gemm"})
MIXING = (torch.nn.Conv2d, torch.nn.Linear)
FUNCTIONS: dict[str, Callable[[Node, list[Any]], Any]] = {
    "Add": lambda _, read: read[0] + read[1],
    "Mul": lambda _, read: read[0] * read[1],
    "Div": lambda _, read: read[0] / read[1],
    "Relu": lambda _, read: torch.relu(read[0]),
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "GlobalAveragePool": lambda _, read: read[0].mean(dim=(2, 3), keepdim=True),
    "Flatten": lambda _, read: torch.flatten(read[0], 1),
}


def macs(network: torch.nn.Module, x: torch.Tensor) -> int:
    """Multiply-accumulates of convolutions and matrix products for one sample."""
    count = 0

    def hook(layer: Any, _: Any, y: torch.Tensor) -> None:
        nonlocal count
        count += layer.weight.numel() * (y[0, 0].numel() if y.ndim == 4 else 1)

    hooks = [m.register_forward_hook(hook) for m in network.modules() if isinstance(m, MIXING)]
    with torch.no_grad():
        network(x)
    for each in hooks:
        each.remove()
    return count


def pruned(model: Model, x: np.ndarray[Any, Any], share: float, *, everywhere: bool) -> Callable[[Any], Any]:
    """The network pruned by torch-pruning's L2 norms until at most ``share`` of its multiply-accumulates is left.

    Args:
        model: of convolutions without groups, batch normalisation fused.
        x: one sample of its input.
        share: of multiply-accumulates to be left.
        everywhere: channels of all layers are compared with each other, else each layer loses the same share.
    """
    sample = torch.tensor(x)
    most = share * macs(Network(model), sample)
    percent = bisect_left(range(100), True, key=lambda p: macs(_pruned(model, sample, p, everywhere), sample) <= most)
    network = _pruned(model, sample, percent, everywhere)
    return lambda batch: network(torch.tensor(batch)).detach().numpy()


def _pruned(model: Model, sample: torch.Tensor, percent: int, everywhere: bool) -> Network:
    network = Network(model).eval()
    last = [m for m in network.modules() if isinstance(m, MIXING)][-1]
    importance = tp.importance.GroupMagnitudeImportance(p=2)
    tp.pruner.BasePruner(
        network, sample, importance, pruning_ratio=percent / 100, global_pruning=everywhere, ignored_layers=[last]
    ).step()
    return network
