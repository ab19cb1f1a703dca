"""What costs speed: the advice that goes with values, nodes on the CPU, and the order in which edge nodes go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from surgery.toolchain.conversion.facts import Advice, Scalar, Weight
from surgery.toolchain.conversion.finding import Drop, Edit, Finding, Findings, KeyPath, Put, Severity
from surgery.toolchain.conversion.settings import Settings
from surgery.toolchain.conversion.values import joined

OUTERMOST_FIRST = ("Reshape", "Cast", "Dequantize", "Transpose", "Quantize", "Softmax")
"""An order in which one pass over the list takes off the tails that exporters make."""


def slow(
    path: KeyPath, text: str, source: str, weight: Weight, *, fix: str = "", edits: tuple[Edit, ...] = ()
) -> Finding:
    """A finding of :attr:`Severity.PERFORMANCE`."""
    words = fix or "; ".join(map(str, edits))
    return Finding("speed." + str(path[1]), path, Severity.PERFORMANCE, text, source, words, edits, weight)


def advice(settings: Settings) -> Findings:
    """Values that the facts of their key advise against."""
    for name, section in settings.tool.home.items():
        key = settings.tool.keys[section][name]
        if not key.advice or (key.values and not _known(settings, name)):
            continue
        for value in _values(settings, name):
            for one in key.advice:
                if one.applies(value):
                    yield _advised(settings, name, value, one)


def _known(settings: Settings, name: str) -> bool:
    """Whether every value is one of its key's: of others, that is to be said first."""
    key = settings.tool.key(name)
    return key is not None and all(key.knows(part) for part in settings.parts(name))


def _values(settings: Settings, name: str) -> Iterator[Scalar]:
    """The value of a key, each of its values where it lists some, or what the tool takes where it is left out."""
    key, value = settings.tool.key(name), settings.get(name)
    if key is None:
        return
    if key.list:
        yield from settings.parts(name)
    elif isinstance(value, bool | int | float | str):
        yield value
    elif value is None and key.default is not None:
        yield key.default


def _advised(settings: Settings, name: str, value: Scalar, advice: Advice) -> Finding:
    path, said = settings.path(name), str(value).lower() if isinstance(value, bool) else value
    edits: tuple[Edit, ...] = ()
    if advice.set is not None:
        edits = (Put(path, advice.set),)
    elif advice.drop:
        left = [part for part in settings.parts(name) if part != value]
        edits = (Put(path, joined(left)) if left else Drop(path),)
    text = f"is {said}{'' if name in settings.section(path[0]) else ' where it is left out'}: {advice.text}"
    return slow(path, text, advice.source, advice.weight, fix=advice.fix, edits=edits)


def placed(settings: Settings) -> Findings:
    """Nodes that ``node_info`` puts on the CPU."""
    value, path = settings.get("node_info"), settings.path("node_info")
    for node, wanted in value.items() if isinstance(value, Mapping) else ():
        if isinstance(wanted, Mapping) and wanted.get("ON") == "CPU":
            text = "is put on the CPU: that cuts the model in two and costs a dequantise and a quantise"
            yield slow((*path, node), text, source(settings, "node_info"), "high", fix="leave it to the tool")


def order(settings: Settings) -> Findings:
    """A list that is gone through once, in an order that leaves nodes behind others which go later."""
    listed = settings.parts("remove_node_type")
    known = [one for one in OUTERMOST_FIRST if one in listed]
    if settings.tool.removal != "listed" or len(known) < 2 or set(listed) != set(known):
        return
    dequantise = listed.index("Dequantize") if "Dequantize" in listed else -1
    behind = [one for one in listed[dequantise + 1 :] if one in ("Reshape", "Cast")]
    if dequantise >= 0 and behind:
        path = settings.path("remove_node_type")
        text = f"the list is gone through once: a Dequantize behind a {behind[0]} stays, since {behind[0]} goes later"
        edits = (Put(path, joined(known)),)
        yield slow(path, text, "tool", "medium", edits=edits)


def formats(settings: Settings) -> Findings:
    """Images that the device has to convert before the BPU reads them."""
    for index, form in enumerate(settings.parts("input_type_rt")):
        if form in ("rgb", "bgr") and settings.part("input_type_train", index) in ("rgb", "bgr"):
            path = settings.path("input_type_rt")
            text = f"input {index} is {form}: cameras and decoders give nv12, half the bytes and nothing to convert"
            yield slow(path, text, source(settings, "input_type_rt"), "low", fix="nv12, where the frames come as that")


def source(settings: Settings, name: str) -> str:
    """Where what is known of a key comes from."""
    key = settings.tool.key(name)
    return key.source if key is not None else ""


RULES = (advice, placed, order, formats)
