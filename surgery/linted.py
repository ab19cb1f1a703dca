"""What ``lint`` reads and writes: the YAML of a conversion tool, repaired or translated where that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from surgery.errors import InputError, WeightsMissing, unknown
from surgery.ir import Model
from surgery.ir.model import Source
from surgery.pipeline.explain import explain
from surgery.report.base import ModelRef
from surgery.report.lint import LintDocument, Written, finding_rows, lint_document, sources
from surgery.report.write import check_writable, need_apart, write_text
from surgery.requested import requested
from surgery.target import load_target, march_names
from surgery.toolchain.conversion import Document, Interface, Settings, Tool, lint, read, tool_for
from surgery.toolchain.conversion.edits import repaired
from surgery.toolchain.conversion.facts import TOOLS, tool
from surgery.toolchain.conversion.migrate import migrate, notes
from surgery.toolchain.conversion.repair import repair

LIFTING = "lift-normalisation"
"""The pass that leaves normalisation to the tool."""


@dataclass(frozen=True)
class Asked:
    """What is to be done about the findings.

    Attributes:
        fix: write the file again, repaired.
        migrate: the tool to translate it for.
        march: the march of that tool.
        output: where to write; the file itself when None, which a translation does not overwrite.
    """

    fix: bool = False
    migrate: str | None = None
    march: str | None = None
    output: Path | None = None

    @property
    def writes(self) -> bool:
        """Whether a file is written at all."""
        return self.fix or self.migrate is not None


def linted(path: Path, model: Source | None, asked: Asked) -> LintDocument:
    """The findings of the configuration at ``path``, checked against ``model`` if given.

    Raises:
        InputError: the file cannot be read, or what is asked for cannot be done; nothing is written then.
    """
    _need_place(path, asked)
    document = read(path)
    loaded = None if model is None else Model.load(model)
    if loaded is not None and asked.output is not None:
        need_apart(asked.output, loaded.path)
    settings = _settings(document, loaded)
    ref = None if loaded is None else ModelRef.of(loaded)
    report = lint_document(str(path), settings, lint(settings), document.line, ref)
    return _written(report, document, settings, asked) if asked.writes else report


def _settings(document: Document, model: Model | None) -> Settings:
    facts = tool_for(document.data)
    settings = Settings(document.data, facts, _folder(document))
    if model is None:
        return settings
    march = settings.march if settings.march in march_names() else None
    asked = requested(model, load_target(march)).nodes if march else ()
    return replace(settings, interface=Interface.of(model, asked, _normalising(model)))


def _normalising(model: Model) -> tuple[str, ...]:
    """The nodes that could be lifted off the inputs; none where weights that decide it are missing."""
    try:
        events = explain(model, LIFTING, None).events
    except WeightsMissing:
        return ()
    return tuple(event.node for event in events if event.outcome == "applied")


def _folder(document: Document) -> Path | None:
    """The folder of the file, from which the tools take relative names, where the model that it names is there."""
    section = document.data.get("model_parameters")
    named = section.get("onnx_model") if isinstance(section, Mapping) else None
    folder = document.path.parent
    return folder if isinstance(named, str) and named and (folder / named).is_file() else None


def _need_place(path: Path, asked: Asked) -> None:
    """Raise what is wrong with where to write, before anything is read."""
    if asked.output is not None and not asked.writes:
        raise InputError("-o says where to write what --fix or --migrate makes", where=str(asked.output))
    if asked.march is not None and asked.migrate is None:
        raise InputError("is the march to translate for", where="--march", hint="the file names its own")
    if asked.migrate is not None and asked.output is None:
        raise InputError("a translation goes into a file of its own", where="--migrate", hint="name it: -o OTHER.yaml")
    if asked.migrate is not None and asked.output is not None and asked.output.resolve() == path.resolve():
        raise InputError("is the configuration itself", where=str(asked.output), hint="name another file")
    if asked.writes:
        check_writable(asked.output or path)


def _written(report: LintDocument, document: Document, settings: Settings, asked: Asked) -> LintDocument:
    if asked.migrate is None:
        done, edits = repair(settings)
        told: tuple[str, ...] = ()
    else:
        to = _other(asked.migrate, settings.tool)
        done, edits = migrate(settings, to, _march(asked.march, to))
        told = tuple(notes(settings, to))
    place = asked.output or document.path
    text = repaired(document.text, edits) if edits else document.text
    if edits or asked.output is not None:
        write_text(text, place)
    part = Written(
        path=str(place),
        tool=done.tool.tool,
        edits=tuple(map(str, edits)),
        findings=finding_rows(lint(done), Document(place, text, {}).line),
        sources=sources(done.tool),
    )
    return report.model_copy(update={"written": part, "notes": told})


def _other(name: str, now: Tool) -> Tool:
    """The tool to translate for, which is not the one the file is for."""
    if name not in TOOLS:
        raise unknown("tool", name, TOOLS, where="--migrate")
    if name == now.tool:
        raise InputError(f"the file is for {name} already", where="--migrate")
    return tool(name)


def _march(name: str | None, to: Tool) -> str:
    """The march of the tool to translate for."""
    known = ", ".join(to.marches)
    if name is None:
        raise InputError(f"{to.tool} is for several marches", where="--migrate", hint=f"--march M: one of {known}")
    march = name if name in to.marches else load_target(name).name
    if march not in to.marches:
        raise InputError(f"{march} is no march of {to.tool}", where="--march", hint=f"one of {known}")
    return march
