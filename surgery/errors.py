"""The one error of this package and its few children.

An error says what is wrong, where, what was expected and what to do next; the command line prints it as one
message and exits with :attr:`SurgeryError.exit_code`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SurgeryError(Exception):
    """What went wrong, in one sentence, with an optional place and next step.

    Args:
        what: the sentence, naming the value that was found.
        where: file, node, pass or option it was found in.
        hint: what to type or change next.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  hint: {self.hint}" if self.hint else head


class InputError(SurgeryError):
    """A file, option or value given by the user cannot be used."""


class ModelError(InputError):
    """The model itself is not valid, or not of a kind this tool can read."""


class WeightsMissing(ModelError):
    """The model's external data is absent where the weights are needed."""


class DefectError(SurgeryError):
    """A defect of this tool: an invariant of ours does not hold."""

    exit_code = 3


def unknown(kind: str, name: str, known: Iterable[str], *, where: str | None = None) -> InputError:
    """The error for a name that is not among ``known``, offering the nearest ones.

    >>> print(unknown("march", "bayes-f", ["bayes", "bayes-e", "nash-e"]))
    unknown march 'bayes-f'
      hint: did you mean bayes-e, bayes? (known: bayes, bayes-e, nash-e)
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    shown = ", ".join(names[:40]) + (", …" if len(names) > 40 else "")
    guess = f"did you mean {', '.join(near)}? " if near else ""
    return InputError(f"unknown {kind} {name!r}", where=where, hint=f"{guess}(known: {shown})")
