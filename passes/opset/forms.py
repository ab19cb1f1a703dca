"""Which operators have another form on the other side of which opset.

What is not here has the same form in all opsets, up to attributes that may be left out and types, which
:func:`passes.opset.generic.fit` sees to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from passes.opset import axes, integers, quantise, raised, recurrent, resize, shapes, softmax, states, wider, windows
from passes.opset.base import Form

Forms = Mapping[str, Sequence[Form]]

FORMS: Forms = {
    **axes.FORMS,
    **integers.FORMS,
    **quantise.FORMS,
    **recurrent.FORMS,
    **resize.FORMS,
    **shapes.FORMS,
    **softmax.FORMS,
    **states.FORMS,
    **wider.ARITHMETIC,
    **windows.FORMS,
}
"""By operator, newest boundary first: from ``since`` or later to before it."""

RAISED: Forms = raised.FORMS
"""By operator, oldest boundary first: from before ``since`` to it or later."""
