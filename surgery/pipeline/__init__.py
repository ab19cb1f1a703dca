"""Passes, pipelines, and the manager that keeps of each pass only what holds."""

from surgery.pipeline.passes import Outcome, Pass, PassRun, Scale
from surgery.pipeline.pipeline import Pipeline

__all__ = ["Outcome", "Pass", "PassRun", "Pipeline", "Scale"]
