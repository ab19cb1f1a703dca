"""From errors to exit codes: 2 for bad input, 3 for a defect of ours, one message on stderr."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable

import typer

from surgery.errors import SurgeryError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def guarded(verb: Callable[..., None]) -> Callable[..., None]:
    """``verb`` with its exceptions turned into messages and exit codes; ``-v`` adds the traceback."""

    @functools.wraps(verb)
    def wrapped(*args: object, **options: object) -> None:
        try:
            verb(*args, **options)
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            _close_stdout()
            raise typer.Exit(0) from None
        except KeyboardInterrupt:
            say("interrupted; files that were there before are as they were")
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:  # noqa: BLE001 - the last line of defence: whatever is left is ours
            raise typer.Exit(report(error, trace=bool(options.get("verbose")))) from None

    return wrapped


def report(error: Exception, *, trace: bool = False) -> int:
    """Print ``error`` on stderr and return the exit code it stands for."""
    if trace:
        say(traceback.format_exc())
    if isinstance(error, SurgeryError) and error.exit_code != 3:
        say(f"surgery: {error}")
        return error.exit_code
    say(f"surgery: defect: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}")
    say("  This is a fault of surgery, not of your model. Please report the command and this line"
        + (", with the traceback above." if trace else "; -v adds the traceback."))  # fmt: skip
    return 3


def say(text: str) -> None:
    """Print lines on stderr, control characters made visible."""
    from surgery.report.text import visible

    print("\n".join(map(visible, text.rstrip("\n").split("\n"))), file=sys.stderr)


def _close_stdout() -> None:
    # The reader of a pipe has gone: without this the interpreter complains once more while it ends.
    sys.stdout = None
