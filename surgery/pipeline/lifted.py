"""Normalisation that was lifted out of a model's inputs, as the model remembers it: in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import onnx
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from surgery.ir import Model
from surgery.ir.edit import Editor

KEY = "surgery.lifted"
"""Of the entry in the model's metadata: JSON, by name of the input."""
Numbers = Annotated[tuple[float, ...], Field(max_length=3)]


class Lifted(BaseModel):
    """What is to be done to an image before the network: ``(pixels - mean) * scale``, pixels 0 to 255.

    Attributes:
        mean: one per channel, in the order of the network's input; () for nothing.
        scale: likewise.
        swapped: the network reads the channels in the reverse order of the original's input.
        layout: of the network's input.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mean: Numbers = ()
    scale: Numbers = ()
    swapped: bool = False
    layout: Literal["NCHW", "NHWC"] = "NCHW"

    @property
    def normalises(self) -> bool:
        """Whether there is arithmetic in it."""
        return bool(self.mean or self.scale)

    def then(self, later: Lifted) -> Lifted:
        """This, followed by ``later``, whose pixels are the values that this makes."""
        count = max(map(len, (self.mean, self.scale, later.mean, later.scale)))
        scales = self.scale or (1.0,) * count
        means = self.mean or (0.0,) * count
        if later.swapped:
            scales, means = scales[::-1], means[::-1]
        more, shift = later.scale or (1.0,) * count, later.mean or (0.0,) * count
        mean = tuple(m + s / a for m, s, a in zip(means, shift, scales, strict=True))
        scale = tuple(a * b for a, b in zip(scales, more, strict=True))
        return Lifted(
            mean=mean if any(mean) else (),
            scale=scale if any(one != 1 for one in scale) else (),
            swapped=self.swapped != later.swapped,
            layout=later.layout,
        )


_ENTRIES = TypeAdapter(dict[str, Lifted])


def lifted(model: Model) -> Mapping[str, Lifted]:
    """What was lifted, by name of the input; nothing of inputs that are not there, or of an entry of another form."""
    text = next((entry.value for entry in model.header.metadata_props if entry.key == KEY), "{}")
    try:
        found = _ENTRIES.validate_json(text)
    except ValidationError:
        return {}
    names = {tensor.name for tensor in model.graph.inputs}
    return {name: one for name, one in found.items() if name in names}


def note(model: Model, editor: Editor, image: str, tensor: str, found: Lifted) -> None:
    """Let ``model`` remember what was lifted from the input ``image``, whose place ``tensor`` takes. Undoable."""
    known = dict(lifted(model))
    earlier = known.pop(image, None)
    known[tensor] = found if earlier is None else earlier.then(found)
    text = json.dumps({name: one.model_dump(mode="json") for name, one in sorted(known.items())})
    header = onnx.ModelProto()
    header.CopyFrom(model.header)
    others: list[Any] = [entry for entry in header.metadata_props if entry.key != KEY]
    kept = [onnx.StringStringEntryProto(key=entry.key, value=entry.value) for entry in others]
    del header.metadata_props[:]
    header.metadata_props.extend([*kept, onnx.StringStringEntryProto(key=KEY, value=text)])
    old = model.header
    editor.record(lambda: setattr(model, "header", old))
    model.header = header
