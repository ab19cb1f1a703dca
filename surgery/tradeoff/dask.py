"""The workers of a Dask scheduler; surgery and its plugins have to be installed there in the versions of here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from surgery.errors import InputError
from surgery.ir import Model
from surgery.tradeoff.trial import Setup, trial
from surgery.tradeoff.workers import Pool, Try
from surgery.versions import versions

CONNECT_SECONDS = 10
"""How long a scheduler may take to answer, and its first worker to be there."""


@contextmanager
def cluster(setup: Setup, address: str) -> Iterator[Try]:
    """Trials by the workers of the scheduler at ``address``, which get the setup once.

    Dask itself tries again what a lost worker was doing, until it has lost several by it.

    Raises:
        InputError: there is no Dask, no such scheduler, it has no workers, these have other versions, or it goes away.
    """
    client = _client(address)
    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        with client:
            workers = _ready(client, address)
            told = client.scatter(_shipped(setup), broadcast=True)
            executor = client.get_executor(pure=False)
            yield Pool(lambda _: executor, trial, (told,), (KilledWorker,), workers)
    except (CancelledError, CommClosedError) as error:
        hint = "with --storage, what is done is kept"
        raise InputError(f"the Dask scheduler has gone: {error}", where=address, hint=hint) from error


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("Dask is not installed", hint="pip install 'surgery[cluster]'") from error
    logging.getLogger("distributed").setLevel(logging.ERROR)  # what it says of a lost worker, the trial says
    try:
        make: Any = Client  # it is not annotated
        return make(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers: {error}", where=address) from error


def _ready(client: Any, address: str) -> int:
    """How many workers there are; InputError for none, or for one that would compute something else."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        raise InputError("the Dask scheduler has no workers", where=address, hint="dask worker " + address) from error
    ours = versions()
    for worker, theirs in _versions(client, address).items():
        if odd := next((name for name in ours if theirs[name] != ours[name]), None):
            raise InputError(f"a worker has {odd} {theirs[odd]}, here it is {ours[odd]}", where=worker)
    return len(client.scheduler_info()["workers"])


def _versions(client: Any, address: str) -> dict[str, dict[str, str]]:
    try:
        found: dict[str, dict[str, str]] = client.run(versions)
    except ImportError as error:
        raise InputError(f"the workers cannot import surgery: {error}", where=address) from error
    return found


def _shipped(setup: Setup) -> Setup:
    """The setup with the model's content in place of its path, unless its weights are in other files."""
    if not isinstance(setup.model, str | PathLike):
        return setup
    content = Path(setup.model).read_bytes()
    return setup if Model.load(content).missing_weights() else replace(setup, model=content)
