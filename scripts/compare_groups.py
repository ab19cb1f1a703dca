"""The channels that go together, as found on ONNX graphs, beside torch-pruning's groups on the same networks.

    python scripts/compare_groups.py

Needs torch, torchvision and torch-pruning, and the exported networks of the corpus, whose weights are not read. A group
is compared by the weights in it: of each the shape, and whether its output or its input channels go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import torch
import torch_pruning as tp
import torchvision

from surgery.channels import Channels, Group, analyse
from surgery.ir import Model, Node
from surgery.pipeline.view import folded

MODELS = Path(__file__).parent.parent.parent / "shared" / "corpus" / "models"
NETWORKS: dict[str, tuple[str, Callable[[], torch.nn.Module]]] = {
    "resnet18": ("tv_resnet18_op11", torchvision.models.resnet18),
    "mobilenet_v3_small": ("tv_mobilenet_v3_small_op13", torchvision.models.mobilenet_v3_small),
    "densenet121": ("tv_densenet121_op13", torchvision.models.densenet121),
    "googlenet": ("tv_googlenet_op11", lambda: torchvision.models.googlenet(aux_logits=False, init_weights=False)),
    "vit_b_16": ("tv_vit_b_16_op17", torchvision.models.vit_b_16),
}
Signature: TypeAlias = "tuple[tuple[tuple[int, ...], str], ...]"


def ours(channels: Channels) -> Iterator[Signature]:
    """A signature per group of channels of the graph."""
    return (tuple(sorted(set(_sides(channels, group)))) for group in channels.groups)


def _sides(channels: Channels, group: Group) -> Iterator[tuple[tuple[int, ...], str]]:
    mine = {(id(block.tensor), block.axis) for block in group.blocks}
    for node, weight in channels.layers:
        for axis in range(min(2, weight.rank)):
            if (id(weight), axis) in mine:
                yield _shape(node, weight.shape), "out" if _is_output(node, axis) else "in"


def _shape(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """As torch has it: outputs first."""
    return shape if node.op == "Conv" or node.attrs.get("transB") else shape[::-1]


def _is_output(node: Node, axis: int) -> bool:
    return axis == (0 if node.op == "Conv" or node.attrs.get("transB") else 1)


def theirs(network: torch.nn.Module, size: int) -> Iterator[Signature]:
    """A signature per group of torch-pruning that can lose channels: those of the last layer are left out."""
    graph = tp.DependencyGraph().build_dependency(network, torch.randn(1, 3, size, size))
    kinds = (torch.nn.Conv2d, torch.nn.Linear)
    last = [m for m in network.modules() if isinstance(m, kinds)][-1]
    for group in graph.get_all_groups(ignored_layers=[last], root_module_types=list(kinds)):
        yield tuple(sorted({s for dep, _ in group if (s := _side(dep.target.module, dep.handler, kinds)) is not None}))


def _side(module: Any, handler: Any, kinds: tuple[Any, ...]) -> tuple[tuple[int, ...], str] | None:
    if not isinstance(module, kinds):
        return None
    shape = tuple(module.weight.shape)
    return shape, "out" if "out" in handler.__name__ else "in"


def main() -> None:
    """Print how many groups both have, and those that only one has."""
    print("| network | groups here | torch-pruning | the same |\n|---|---|---|---|")
    odd = []
    for name, (file, make) in NETWORKS.items():
        model = folded(Model.load(MODELS / f"{file}.onnx"))
        mine = Counter(ours(analyse(model.graph, model.opset)))
        other = Counter(theirs(make().eval(), 224))
        print(f"| {name} | {mine.total()} | {other.total()} | {(mine & other).total()} |", flush=True)
        odd += [(name, "here", each) for each in mine - other]
        odd += [(name, "torch-pruning", each) for each in other - mine]
    for name, side, each in odd:
        print(f"{name}, only {side}: {'; '.join(f'{shape} {end}' for shape, end in each)}")


if __name__ == "__main__":
    main()
