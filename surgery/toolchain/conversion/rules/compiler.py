"""The compiler's parameters that depend on the march, on each other, or on the inputs."""

from __future__ import annotations

from collections.abc import Mapping

from surgery.toolchain.conversion.finding import Drop, Edit, Findings, Put
from surgery.toolchain.conversion.rules.say import error, near, quoted, warning
from surgery.toolchain.conversion.settings import Settings

RESIZER_PIXELS = 18432
"""Height times width of an input from the resizer has to be below this (the guide of hb_mapper)."""


def cores(settings: Settings) -> Findings:
    """More cores than one inference may take on the march."""
    value, chip = settings.get("core_num"), settings.chip
    if isinstance(value, int) and chip is not None and value > max(chip.cores):
        text = f"is {value}, one inference takes at most {max(chip.cores)} on {settings.march}"
        path = settings.path("core_num")
        yield error(settings, "march.cores", path, text, edits=(Put(path, max(chip.cores)),))


def balance(settings: Settings) -> Findings:
    """The factor of balance mode: needed there, read nowhere else."""
    mode, factor = settings.text("compile_mode"), settings.get("balance_factor")
    path = settings.path("balance_factor")
    if mode == "balance" and factor is None:
        text = "compile_mode balance needs a factor, 0 for the least DDR traffic to 100 for the least time"
        yield error(settings, "compiler.balance", path, text, edits=(Put(path, 100),))
    if mode != "balance" and factor is not None:
        text = f"is read in compile_mode balance only, not in {mode or 'latency'}"
        yield warning(settings, "compiler.factor", path, text, edits=(Drop(path),))


def cache(settings: Settings) -> Findings:
    """The folder of the compile cache: needed where the cache is used."""
    if settings.tool.key("cache_mode") is None:
        return
    mode, folder = settings.text("cache_mode") or "disable", settings.text("cache_path")
    path = settings.path("cache_path")
    if mode != "disable" and not folder:
        yield error(settings, "compiler.cache", path, f"cache_mode {mode} needs a cache_path", fix="add it")
    if mode == "disable" and folder:
        text = "cache_mode is disable: the tool says so, and enables it"
        yield warning(settings, "compiler.cache_off", path, text, edits=(Put(settings.path("cache_mode"), "enable"),))


def sources(settings: Settings) -> Findings:
    """Where inputs come from: inputs there are, sources there are, that go with the format."""
    value = settings.get("input_source")
    for name, source in value.items() if isinstance(value, Mapping) else ():
        index = settings.inputs.index(name) if name in settings.inputs else None
        if index is None and any(settings.inputs):
            yield from _stranger(settings, name)
        elif not isinstance(source, str) or source not in settings.tool.input_sources:
            known, path = settings.tool.input_sources, (*settings.path("input_source"), name)
            meant = near(str(source), known)
            edits: tuple[Edit, ...] = (Put(path, meant),) if meant else (Drop(path),)
            text = f"is {quoted(source)}, it has to be one of {', '.join(known)}"
            yield error(settings, "source.value", path, text, edits=edits)
        else:
            yield from _compatible(settings, name, source, index or 0)


def _stranger(settings: Settings, name: object) -> Findings:
    path = (*settings.path("input_source"), name)
    yield error(settings, "source.input", path, f"there is no input {quoted(name)}", edits=(Drop(path),))


def _compatible(settings: Settings, name: object, source: str, index: int) -> Findings:
    form, path = settings.part("input_type_rt", index), (*settings.path("input_source"), name)
    if form and form not in settings.tool.input_sources[source]:
        fits = [one for one, forms in settings.tool.input_sources.items() if form in forms]
        edits: tuple[Edit, ...] = (Put(path, fits[0]),) if fits else (Drop(path),)
        yield error(settings, "source.format", path, f"{form} does not come from {source}", edits=edits)
    found = settings.shape(index)
    if source == "resizer" and found is not None and len(found) == 4:
        height, width = found[2:] if settings.part("input_layout_train", index) == "NCHW" else found[1:3]
        if height * width >= RESIZER_PIXELS:
            text = f"the resizer makes fewer than {RESIZER_PIXELS} pixels, this input has {height * width}"
            yield error(settings, "source.resizer", path, text, edits=(Put(path, "pyramid"),))


RULES = (cores, balance, cache, sources)
