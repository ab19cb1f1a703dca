"""Trains ``models/digits.onnx`` on scikit-learn's digits and writes it as a real export would look.

    pip install -e '.[digits]' && python scripts/make_digits.py

The network is small and right (its accuracy on held-out digits is printed); the graph has what makes exports hard on
a BPU, each at its natural place: QuantizeLinear/DequantizeLinear at input and output, a 9x9 kernel, unfused
BatchNormalization, HardSwish in the two forms opset 11 writes it, a dilated convolution over X3's 2048 input
channels, a Dropout, a shape chain, and a 5-D head. Opset 11 and IR 7 are what the X3 and X5 toolchains accept.
Seeded: the same versions on the same machine write the same bytes.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

MODELS = Path(__file__).parent.parent / "models"
SEED, EPOCHS, BATCH, HELD_OUT = 7, 40, 32, 360
WIDE = 2112  # over the 2048 channels that bernoulli2 allows a dilated convolution
ANCHORS, CLASSES = 2, 10


class Digits(nn.Module):
    """[N,1,8,8] in 0..1 -> class scores per anchor and cell [N,2,4,4,10]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 9, padding=4)
        self.stem_bn = nn.BatchNorm2d(16)
        self.down = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.down_bn = nn.BatchNorm2d(32)
        self.expand = nn.Conv2d(32, WIDE, 1, bias=False)
        self.expand_bn = nn.BatchNorm2d(WIDE)
        self.context = nn.Conv2d(WIDE, 16, 3, padding=2, dilation=2)
        self.context_bn = nn.BatchNorm2d(16)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Conv2d(16, ANCHORS * CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scores, before quantisation."""
        x = functional.hardswish(self.stem_bn(self.stem(x)))
        x = functional.hardswish(self.down_bn(self.down(x)))
        x = functional.relu(self.expand_bn(self.expand(x)))
        x = self.dropout(functional.relu(self.context_bn(self.context(x))))
        return self.head(x).reshape(-1, ANCHORS, CLASSES, 4, 4).permute(0, 1, 3, 4, 2)


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training and held-out images [N,1,8,8] and labels [N]; 1437 and 360 of them, shuffled once."""
    data = load_digits()
    order = np.random.default_rng(SEED).permutation(len(data.target))
    images = torch.tensor(data.images[order] / 16, dtype=torch.float32)[:, None]
    labels = torch.tensor(data.target[order], dtype=torch.int64)
    return images[:-HELD_OUT], labels[:-HELD_OUT], images[-HELD_OUT:], labels[-HELD_OUT:]


def batches(images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled batches, each image moved by at most one pixel."""
    padded = functional.pad(images, (1, 1, 1, 1))
    for index in torch.randperm(len(images)).split(BATCH):
        top, left = (int(v) for v in torch.randint(0, 3, (2,)))
        yield padded[index, :, top : top + 8, left : left + 8], labels[index]


def train(images: Tensor, labels: Tensor) -> Digits:
    """A trained network in inference mode."""
    net = Digits()
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for _ in range(EPOCHS):
        for x, y in batches(images, labels):
            optimiser.zero_grad()
            functional.cross_entropy(net(x).mean(dim=(1, 2, 3)), y, label_smoothing=0.05).backward()
            optimiser.step()
        schedule.step()
    return net.eval()


class Export:
    """Writes nodes in the order and form of PyTorch's exporter: one method per layer, each returns its output name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds one node, named after its op and position."""
        name = f"{op}_{len(self.nodes)}"
        output = output or f"{name}_output_0"
        self.nodes.append(helper.make_node(op, list(inputs), [output], name, **attributes))
        return output

    def constant(self, values: Any, dtype: type[np.generic] = np.float32) -> str:
        """A Constant node, as the exporter writes literals."""
        return self.node("Constant", value=numpy_helper.from_array(np.array(values, dtype)))

    def weight(self, name: str, values: Any) -> str:
        """An initializer."""
        array = values.detach().numpy() if isinstance(values, Tensor) else np.asarray(values)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def conv(self, x: str, name: str, layer: nn.Conv2d) -> str:
        """A convolution with all its attributes."""
        parameters = [self.weight(f"{name}.{k}", v) for k, v in layer.named_parameters()]
        window: dict[str, Any] = {
            "kernel_shape": layer.kernel_size,
            "strides": layer.stride,
            "dilations": layer.dilation,
        }
        return self.node("Conv", x, *parameters, **window, pads=[int(layer.padding[0])] * 4, group=1)

    def batchnorm(self, x: str, name: str, layer: nn.BatchNorm2d) -> str:
        """A BatchNormalization of its own, as an export in training form keeps it."""
        fields = ("weight", "bias", "running_mean", "running_var")
        parameters = [self.weight(f"{name}.{field}", getattr(layer, field)) for field in fields]
        return self.node("BatchNormalization", x, *parameters, epsilon=layer.eps)

    def block(self, x: str, name: str, net: Digits) -> str:
        """Convolution and BatchNormalization."""
        return self.batchnorm(self.conv(x, name, getattr(net, name)), f"{name}_bn", getattr(net, f"{name}_bn"))

    def fake_quantise(self, x: str, name: str, scale: float, zero: np.generic, output: str = "") -> str:
        """QuantizeLinear and DequantizeLinear with one scale."""
        parameters = self.weight(f"{name}.scale", np.float32(scale)), self.weight(f"{name}.zero_point", zero)
        return self.node("DequantizeLinear", self.node("QuantizeLinear", x, *parameters), *parameters, output=output)

    def hard_sigmoid_swish(self, x: str) -> str:
        """HardSwish as newer exporters write it for opset 11."""
        return self.node("Mul", x, self.node("HardSigmoid", x, alpha=1 / 6))

    def clip_swish(self, x: str) -> str:
        """HardSwish as older exporters and hand-written modules have it."""
        shifted = self.node("Add", x, self.constant(3))
        clipped = self.node("Clip", shifted, self.constant(0), self.constant(6))
        return self.node("Div", self.node("Mul", x, clipped), self.constant(6))

    def split_head(self, x: str) -> str:
        """``x.reshape(x.shape[0], 2, 10, 4, 4)`` as a trace writes it: a shape chain."""
        batch = self.node("Gather", self.node("Shape", x), self.constant(0, np.int64), axis=0)
        rest = self.constant([ANCHORS, CLASSES, 4, 4], np.int64)
        shape = self.node("Concat", self.node("Unsqueeze", batch, axes=[0]), rest, axis=0)
        return self.node("Reshape", x, shape)

    def network(self, net: Digits, scale: float) -> None:
        """The whole graph from ``image`` to ``scores``."""
        x = self.fake_quantise("image", "image", 1 / 255, np.uint8(0))
        x = self.hard_sigmoid_swish(self.block(x, "stem", net))
        x = self.clip_swish(self.block(x, "down", net))
        x = self.node("Relu", self.block(x, "expand", net))
        x = self.node("Relu", self.block(x, "context", net))
        x = self.conv(self.node("Dropout", x, ratio=0.2), "head", net.head)
        x = self.node("Transpose", self.split_head(x), perm=[0, 1, 3, 4, 2])
        self.fake_quantise(x, "scores", scale, np.int8(0), output="scores")


def to_onnx(net: Digits, scale: float) -> onnx.ModelProto:
    """The checked model, opset 11 and IR 7."""
    export = Export()
    export.network(net, scale)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, ANCHORS, 4, 4, CLASSES])
    graph = helper.make_graph(export.nodes, "digits", [image], [scores], export.weights)
    opsets = [helper.make_opsetid("", 11)]
    model = helper.make_model(graph, producer_name="make_digits", ir_version=7, opset_imports=opsets)
    onnx.checker.check_model(model, full_check=True)
    return model


def measured(model: onnx.ModelProto) -> float:
    """Accuracy on the held-out digits, by onnxruntime and the evaluator that ships with the model."""
    spec = importlib.util.spec_from_file_location("digits_eval", MODELS / "eval.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(MODELS / "eval.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: dict[str, float] = module.accuracy(lambda feeds: {"scores": session.run(None, dict(feeds))[0]})
    return found["accuracy"]


def main() -> int:
    """Writes model, inputs and labels; prints what README says of them."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    images, labels, held_images, held_labels = digits()
    net = train(images, labels)
    with torch.no_grad():
        scale = float(net(images).abs().max()) / 127
    model = to_onnx(net, scale)
    onnx.save(model, MODELS / "digits.onnx")
    np.savez_compressed(MODELS / "digits.npz", image=held_images.numpy())
    np.save(MODELS / "digits.labels.npy", held_labels.numpy())
    size = (MODELS / "digits.onnx").stat().st_size
    found = f"accuracy {measured(model):.4f} on {HELD_OUT} held-out digits"
    print(f"digits.onnx: {size} bytes, {len(model.graph.node)} nodes, {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
