"""What stands in for the process beside a training: jobs are worked off at once, or never."""

from __future__ import annotations

from concurrent.futures import Future

from surgery.training.worker import Job, Reply, worked


class Kept:
    """Keeps jobs, whose replies never come."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.closed = False

    def submit(self, job: Job) -> Future[Reply]:
        self.jobs.append(job)
        return Future()

    def close(self) -> None:
        self.closed = True


class AtOnce(Kept):
    """Works in this process, so that a reply is there at the next step."""

    def submit(self, job: Job) -> Future[Reply]:
        future = super().submit(job)
        future.set_result(worked(job))
        return future
