"""The witness: the vendor's own toolchain, asked about models; answers are typed, cached and never wait for ever."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np

from surgery.errors import InputError, ModelError
from surgery.ir import Model
from surgery.toolchain import config, files
from surgery.toolchain.cache import Cache, key
from surgery.toolchain.install import Installation, find, need_march
from surgery.toolchain.quantised import Quantised, QuantiseError, write_samples
from surgery.toolchain.refusal import Kind, Refusal, refusal
from surgery.toolchain.results import Answer
from surgery.toolchain.worker import WitnessError, Worker

CHECK_SECONDS = 300.0
"""Limit of a check; the slowest of the open corpus takes a fifth of it."""
COMPILE_SECONDS = 600.0
"""Limit of a compile."""
_EDITION = 2
"""Part of every key: raised when what is kept of a run changes."""

_MAKERTBIN = ["makertbin", "--model-type", "onnx", "--config", "config.yaml"]

Array = np.ndarray[Any, Any]
Shapes = Mapping[str, Sequence[int]]


class Witness:
    """Asks an installation; safe for several threads, each of whose questions runs in a process of its own.

    Args:
        installation: which one; the one found by :func:`surgery.toolchain.find` when None.
        cache: where answers are kept; None for the user's own.
        check_seconds: limit of a check of which no other is said.
    """

    def __init__(
        self,
        installation: Installation | None = None,
        cache: Cache | None = None,
        *,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self.installation, self.check_seconds = installation or find(), check_seconds
        self.cache = cache or Cache()
        self._worker = Worker(self.installation.python, self.installation.folder)

    def check(
        self, model: Path | Model, march: str, *, shapes: Shapes | None = None, limit: float | None = None
    ) -> Answer:
        """Where the toolchain places every node; it compiles at its lowest level on the way.

        Args:
            model: a file, asked about as it is, or a model in memory.
            march: ``bernoulli2``, ``bayes`` or ``bayes-e``.
            shapes: sizes of dynamic inputs, by name.
            limit: seconds until it is killed, which is an answer, too; None for ``check_seconds``.

        Raises:
            WitnessError: the toolchain does not run, or not for this march.
        """
        argv = ["checker", "--model-type", "onnx", "--march", march, "--model", files.MODEL]
        for name, shape in (shapes or {}).items():
            argv += ["--input-shape", name, "x".join(map(str, shape))]
        return self._ask(model, march, argv, limit=self.check_seconds if limit is None else limit)

    def compile(
        self,
        model: Path | Model,
        march: str,
        options: config.Options | None = None,
        *,
        shapes: Shapes | None = None,
        limit: float = COMPILE_SECONDS,
    ) -> Answer:
        """Compile for real: placement, latency, DDR and the cost of every layer; ``shapes`` as for :meth:`check`."""
        chosen = options or config.Options()
        try:
            text = config.makertbin(files.MODEL, march, {**_input_shapes(model), **(shapes or {})}, chosen)
        except (ModelError, InputError) as error:
            return _refused(march, Kind.INVALID, error.what)
        return self._ask(model, march, _MAKERTBIN, limit=limit, text=text, level=chosen.level)

    def convert(self, model: Path | Model, text: str, march: str, *, limit: float = COMPILE_SECONDS) -> Answer:
        """What ``hb_mapper makertbin`` makes of a configuration.

        Args:
            model: it is found as ``model.onnx``.
            text: the YAML; its ``working_dir`` has to be ``.``, where the runs are kept apart.
            march: the march in it, ``""`` where it has none.
            limit: seconds until it is killed.
        """
        return self._ask(model, march, _MAKERTBIN, limit=limit, text=text)

    def removable(
        self, model: Path | Model, march: str, *, shapes: Shapes | None = None, limit: float = COMPILE_SECONDS
    ) -> Answer:
        """Compile at the lowest level, and ask ``hb_model_modifier`` what it could take off: ``candidates``."""
        try:
            text = config.makertbin(
                files.MODEL, march, {**_input_shapes(model), **(shapes or {})}, config.Options("O0")
            )
        except (ModelError, InputError) as error:
            return _refused(march, Kind.INVALID, error.what)
        return self._ask(model, march, _MAKERTBIN, limit=limit, text=text, modifier=[f"{config.PREFIX}.bin"])

    def quantise(
        self,
        model: Path | Model,
        march: str,
        samples: Sequence[Mapping[str, Array]],
        *,
        method: str = "max",
        text: str | None = None,
        limit: float = COMPILE_SECONDS,
    ) -> Quantised:
        """Calibrate on ``samples`` and quantise, for the numbers; compiled at the lowest level on the way.

        ``text`` is the YAML to do it by, as :meth:`convert` takes it, its prefix that of
        :mod:`surgery.toolchain.config`; None for one that feeds the model as it is.

        Raises:
            QuantiseError: the toolchain refuses the model, or an input is not float32.
        """
        loaded = Model.load(model)
        folder = self._worker.folder()
        try:
            files.stage(loaded, folder)
            write_samples(loaded, samples, folder)
            chosen = config.Options("O0", calibration=method)
            said = text or config.makertbin(files.MODEL, march, _input_shapes(loaded), chosen)
            (folder / "config.yaml").write_text(said)
            ended = self._worker.submit("hb_mapper", _MAKERTBIN, folder, limit).result()
            if refused := refusal(ended, (folder / "output.txt").read_text(errors="replace"), limit=limit):
                raise QuantiseError(f"the toolchain refuses the model: {refused.text}", where=march)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Quantised(self._worker, folder, tuple(t.name for t in loaded.graph.outputs))

    def close(self) -> None:
        """End the toolchain's process, and remove its folders."""
        self._worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(
        self,
        model: Path | Model,
        march: str,
        argv: list[str],
        *,
        limit: float,
        text: str = "",
        level: str | None = None,
        modifier: list[str] | None = None,
    ) -> Answer:
        need_march(march)
        folder = self._worker.folder()
        try:
            staged = files.stage(model, folder)
            asked = [*argv, *(modifier or [])]
            name = key(_EDITION, files.digest(staged), asked, text, self.installation.packages)
            if known := self._known(name, march, limit, level):
                return known
            (folder / "config.yaml").write_text(text)
            ended = self._worker.submit("hb_mapper", argv, folder, limit).result()
            if modifier and ended.code == 0:
                said = (folder / "output.txt").read_bytes()
                self._worker.submit("hb_model_modifier", modifier, folder, limit).result()
                (folder / "output.txt").write_bytes(said)
            files.harvest(folder, ended, folder / "kept")
            if not ended.late:
                with suppress(OSError):  # where nothing can be kept, it is asked again the next time
                    self.cache.put(name, folder / "kept")
            return files.answer(folder / "kept", march, limit=limit, level=level, cached=False)
        except ModelError as error:
            return _refused(march, Kind.SIZE if "GiB" in error.what else Kind.WEIGHTS, error.what)
        except OSError as error:
            raise WitnessError(f"the files of a run cannot be written: {error.strerror}", where=str(folder)) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _known(self, name: str, march: str, limit: float, level: str | None) -> Answer | None:
        """The answer in the cache; an entry that another process is just removing counts as none."""
        kept = self.cache.get(name)
        try:
            return files.answer(kept, march, limit=limit, level=level, cached=True) if kept else None
        except (OSError, EOFError, ValueError):
            self.cache.drop(name)
            return None


def _input_shapes(model: Path | Model) -> dict[str, tuple[int, ...]]:
    """Sizes of the inputs by name; 0 stands for a dim that is not fixed, which the toolchain refuses in its words."""
    graph = Model.load(model).graph
    return {t.name: tuple(dim if isinstance(dim, int) else 0 for dim in t.shape or ()) for t in graph.inputs}


def _refused(march: str, kind: Kind, text: str) -> Answer:
    return Answer(march, Refusal(kind, text), None, None, (), {}, 0.0, cached=False)
