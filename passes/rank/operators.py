"""Operators that work on every element by itself."""

from __future__ import annotations

_UNARY = (
    "Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish "
    "Identity LeakyRelu Log Mish Neg Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan "
    "Tanh ThresholdedRelu"
)
UNARY = frozenset(_UNARY.split())
"""Of one value; what further inputs there are (bounds of Clip) are numbers."""
BINARY = frozenset({"Add", "Div", "Max", "Min", "Mul", "PRelu", "Pow", "Sub"})
"""Of values or constants that are broadcast."""
JOINS = BINARY | {"Concat"}
"""Operators of which every operand is a value of the same kind."""
