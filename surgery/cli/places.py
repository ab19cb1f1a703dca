"""Where ``run`` writes its models: decided, and found to be possible, before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from surgery.cli.jobs import Job
from surgery.errors import InputError


def places(jobs: Sequence[Job], out: Path | None, *, in_place: bool, dry_run: bool) -> list[Path | None]:
    """The file that each job writes, None for a dry run.

    One job writes ``out`` itself (or into it, if that is a folder); several write into the folder ``out``, a folder
    per march if there are several.

    Raises:
        InputError: nowhere or not possible to write, or an input would be overwritten without ``in_place``.
    """
    if (out is not None) + in_place + dry_run != 1:
        raise InputError("say where the result goes: one of -o OUT, --in-place and --dry-run")
    if dry_run:
        return [None] * len(jobs)
    files: list[Path | None] = list(_files(jobs, out)) if out is not None else _inputs(jobs)
    for file in files:
        if file is not None:
            _check(file, jobs, in_place=in_place)
    return files


def need_config(config: Path | None, jobs: Sequence[Job], files: Sequence[Path | None]) -> None:
    """InputError unless the configuration for a result can be written: there is one result, which is written, too."""
    if config is None:
        return
    from surgery.report.write import check_writable, need_apart

    if len(files) != 1 or files[0] is None:
        raise InputError(
            "is for one result that is written", where=f"--config-out {config}", hint="name one model, and -o"
        )
    need_apart(config, files[0], *(job.path for job in jobs))
    check_writable(config)


def _files(jobs: Sequence[Job], out: Path) -> list[Path]:
    if len(jobs) == 1 and not out.is_dir():
        return [out]
    if out.exists() and not out.is_dir():
        raise InputError("is a file; several models need a folder", where=str(out))
    several = len({job.chip for job in jobs}) > 1
    files = [out / (job.chip if several else "") / job.place for job in jobs]
    if len(set(files)) < len(files):
        raise InputError("two models of one name would go to the same file", where=str(out))
    return files


def _inputs(jobs: Sequence[Job]) -> list[Path | None]:
    if len({job.chip for job in jobs}) > 1:
        raise InputError("a model can be rewritten in place for one march only", where="--in-place")
    return [job.path for job in jobs]


def _check(file: Path, jobs: Sequence[Job], *, in_place: bool) -> None:
    from surgery.report.write import check_writable

    if not in_place and any(file.exists() and job.path.exists() and file.samefile(job.path) for job in jobs):
        raise InputError("is the input", where=str(file), hint="--in-place replaces it")
    if len(jobs) > 1:
        _make(file.parent)
    check_writable(file)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be made: {error.strerror}", where=str(folder)) from error
