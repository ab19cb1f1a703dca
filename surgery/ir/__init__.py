"""The graph and its weights: load, edit, infer, check, save."""

from surgery.ir.graph import Constant, Dim, DType, Graph, Node, Shape, Tensor, Value
from surgery.ir.model import Model
from surgery.ir.weights import Weight

__all__ = ["Constant", "DType", "Dim", "Graph", "Model", "Node", "Shape", "Tensor", "Value", "Weight"]
