"""The YAML of the conversion tools, hb_mapper makertbin and hb_compile: checked, repaired, translated, written."""

from surgery.toolchain.conversion.document import Document, read
from surgery.toolchain.conversion.facts import TOOLS, Tool, tool, tool_of
from surgery.toolchain.conversion.finding import Edit, Finding, Severity
from surgery.toolchain.conversion.interface import Interface
from surgery.toolchain.conversion.lint import accepted, lint
from surgery.toolchain.conversion.settings import Settings, tool_for

__all__ = [
    "TOOLS",
    "Document",
    "Edit",
    "Finding",
    "Interface",
    "Settings",
    "Severity",
    "Tool",
    "accepted",
    "lint",
    "read",
    "tool",
    "tool_for",
    "tool_of",
]
