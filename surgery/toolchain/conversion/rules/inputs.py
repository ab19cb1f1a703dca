"""What is said per input: as many values as inputs, names, colour formats, layouts."""

from __future__ import annotations

from surgery.toolchain.conversion.finding import Drop, Edit, Findings, Put
from surgery.toolchain.conversion.rules.say import error, quoted, replaced
from surgery.toolchain.conversion.settings import Settings
from surgery.toolchain.conversion.values import joined

FEATUREMAP, NV12 = "featuremap", "nv12"


def names(settings: Settings) -> Findings:
    """Names of inputs: they are there where there are several inputs, each of them once."""
    named, count = settings.parts("input_name"), len(settings.inputs)
    path = settings.path("input_name")
    if not named and count > 1:
        known = joined(settings.inputs) if all(settings.inputs) else ""
        edits: tuple[Edit, ...] = (Put(path, known),) if known else ()
        text = f"there are {count} inputs, which have to be named in order"
        yield error(settings, "input.names", path, text, fix="" if edits else "name them, parted by ;", edits=edits)
    if len(set(named)) < len(named):
        yield error(
            settings, "input.duplicate", path, f"names an input twice: {quoted(joined(named))}", fix="name each once"
        )


def counts(settings: Settings) -> Findings:
    """Lists with more or fewer values than there are inputs."""
    count = len(settings.inputs)
    for name, section in settings.tool.home.items():
        key, found = settings.tool.keys[section][name], settings.parts(name)
        if key.list != "inputs" or not found or len(found) == count or key.deprecated:
            continue
        path = (section, name)
        alike = len(set(found)) == 1 and found[0] != "" and name not in ("input_name", "cal_data_dir")
        edits: tuple[Edit, ...] = (Put(path, joined(found[:1] * count)),) if alike else ()
        text = f"has {len(found)} values for {count} inputs"
        fix = "" if edits else "give one value per input, parted by ;"
        yield error(settings, "input.count", path, text, fix=fix, edits=edits)


def transitions(settings: Settings) -> Findings:
    """Formats at run time that the tool cannot make the format of training of."""
    for index, (train, run) in enumerate(
        zip(settings.parts("input_type_train"), settings.parts("input_type_rt"), strict=False)
    ):
        allowed = settings.tool.transitions.get(train)
        if allowed is None or run in allowed or run not in _formats(settings):
            continue
        text = f"input {index}: trained on {train}, it cannot be fed {run}, only {', '.join(allowed)}"
        fix = f"say which of {', '.join(allowed)} the application feeds"
        yield error(settings, "input.transition", settings.path("input_type_rt"), text, fix=fix)


def _formats(settings: Settings) -> tuple[str, ...]:
    key = settings.tool.key("input_type_rt")
    return () if key is None else (*key.values, *key.closed)


def layouts(settings: Settings) -> Findings:
    """Layouts at run time: where the format needs one, and those that a march cannot do."""
    path = settings.path("input_layout_rt")
    formats, found = settings.parts("input_type_rt"), settings.parts("input_layout_rt")
    wanting = [one for one in formats if one in settings.tool.layout_rt_for]
    if wanting and not found:
        layout = [_layout(settings, index) for index in range(len(formats))]
        text = f"{wanting[0]} needs a layout at run time"
        yield error(settings, "input.layout_rt", path, text, edits=(Put(path, joined(layout)),))
    for index, (one, at) in enumerate(zip(formats, found, strict=False)):
        if settings.march == "bernoulli2" and (one, at) == ("yuv444", "NCHW"):
            edits = (replaced(settings, "input_layout_rt", index, "NHWC"),)
            yield error(settings, "input.layout_march", path, "bernoulli2 takes yuv444 as NHWC only", edits=edits)


def _layout(settings: Settings, index: int) -> str:
    return settings.part("input_layout_train", index) or "NCHW"


def train_layouts(settings: Settings) -> Findings:
    """Images without a layout of training, where the tool asks for it only then."""
    key, path = settings.tool.key("input_layout_train"), settings.path("input_layout_train")
    images = [f for f in settings.parts("input_type_rt") if f != FEATUREMAP]
    if key is not None and not key.required and images and not settings.parts("input_layout_train"):
        count = len(settings.parts("input_type_rt"))
        edits = (Put(path, joined(["NCHW"] * count)),) if settings.shape(0) is None or _is_nchw(settings) else ()
        text = f"an input is {images[0]}, so the layout of training has to be there"
        yield error(settings, "input.layout_train", path, text, fix="" if edits else "add it", edits=edits)


def _is_nchw(settings: Settings) -> bool:
    found = settings.shape(0)
    return found is not None and len(found) == 4 and found[1] in (1, 3)


def ranges(settings: Settings) -> Findings:
    """The narrow range of BT.601, which goes with nv12 made of rgb or bgr only."""
    for index, found in enumerate(settings.parts("input_space_and_range")):
        pair = settings.part("input_type_train", index), settings.part("input_type_rt", index)
        if found == "bt601_video" and (pair[1] != NV12 or pair[0] not in ("rgb", "bgr")):
            path = settings.path("input_space_and_range")
            text = f"bt601_video is for nv12 of a network trained on rgb or bgr, not for {' as '.join(pair)}"
            yield error(
                settings,
                "input.range",
                path,
                text,
                edits=(replaced(settings, "input_space_and_range", index, "regular"),),
            )


def separate(settings: Settings) -> Findings:
    """A batch that is split for all inputs and for some."""
    if settings.get("separate_batch") is True and settings.parts("separate_name"):
        path = settings.path("separate_name")
        yield error(settings, "input.separate", path, "separate_batch already splits every input", edits=(Drop(path),))


RULES = (names, counts, transitions, layouts, train_layouts, ranges, separate)
