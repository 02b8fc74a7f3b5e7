"""What surrounds a command: exit codes, streams that break, interrupts, errors of our own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from threading import current_thread, main_thread
from typing import Any, NoReturn

import click

from netdsl.ops.plugins import PluginError, is_plugin

WRONG_FILE, WRONG_CALL = 1, 2


class Group(click.Group):
    """Commands that end with a message and an exit code, whatever happens around them.

    0: all is right; 1: the file is wrong; 2: the call is wrong, or it could not be finished.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        _open_missing_streams()
        _show_all_characters()
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
            sys.stdout.flush()
        except click.ClickException as error:
            error.show()
            sys.exit(WRONG_CALL)
        except (click.Abort, KeyboardInterrupt):
            fail("interrupted")
        except OSError as error:
            _drop(sys.stdout)
            fail(reason(error))
        except PluginError as error:
            fail(str(error))
        except MemoryError:
            fail("this takes more memory than there is")
        except Exception as error:
            fail(_own_error(error))
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader has gone, as `head` does: nothing is left to say
            _drop(sys.stdout)
            sys.exit(WRONG_CALL)


@contextmanager
def interruptible() -> Iterator[None]:
    """Where an interrupt must be an exception, because something is to be tidied up."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def fail(message: str) -> NoReturn:
    """End with a message about the call."""
    click.echo(f"netdsl: {message}", err=True)
    sys.exit(WRONG_CALL)


def reason(error: Exception) -> str:
    """What an error of the system says, to follow a colon."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def is_coloured(stream: Any) -> bool:
    """Whether to write colours: on a terminal, unless NO_COLOR; elsewhere if FORCE_COLOR."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or bool(stream.isatty())


def _own_error(error: Exception) -> str:
    """A mistake of ours, with its place, as it is to be reported."""
    from traceback import extract_tb

    frames = extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    for frame, step in zip(frames, _globals(error), strict=True):
        if is_plugin(step):
            where = f"{frame.filename}, line {frame.lineno}, in {frame.name}"
            return f"a plug-in fails: {type(error).__name__}: {error} ({where})"
    return (
        f"internal error: {type(error).__name__}: {error}{place}\n"
        "This is a mistake in netdsl, not in the file; please report it with the file."
    )


def _globals(error: Exception) -> Iterator[dict[str, Any]]:
    """The names of each module that an error went through."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_globals
        trace = trace.tb_next


def _open_missing_streams() -> None:
    """A stream closed by the caller is None: what would be written there is dropped."""
    for name in "stdout", "stderr":
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _show_all_characters() -> None:
    """Where a terminal or pipe lacks a character (latin-1), its number is shown: `\\u4e2d`."""
    for stream in sys.stdout, sys.stderr:
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _drop(stream: Any) -> None:
    """Let what is still in a broken stream go nowhere, or Python reports it at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        return
