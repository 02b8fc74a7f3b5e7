"""What surrounds a command: exit codes, broken streams, interrupts, bugs of ours."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any, NoReturn

import click

from netdsl.diagnostics import Diagnostic, DiagnosticError
from netdsl.diagnostics.reading import reason
from netdsl.diagnostics.render import render_text
from netdsl.files import OverwriteError, check_not_read, write_whole
from netdsl.ops.faults import PRINTS, PluginError, is_interrupt, told
from netdsl.ops.plugins import is_plugin
from netdsl.version import __version__

WRONG_FILE, WRONG_CALL = 1, 2


class Group(click.Group):
    """Commands that end with a message and an exit code, whatever happens around them.

    0: all is right; 1: the file is wrong; 2: the call is wrong, or it could not be finished.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        _open_missing_streams()
        _show_all_characters()
        prints = PRINTS.set(sys.stderr)
        try:
            code = self._main(*args, **kwargs)
            sys.stdout.flush()
        except click.ClickException as error:
            error.show()
            sys.exit(WRONG_CALL)
        except DiagnosticError as error:
            show(error.diagnostics, "text")
            sys.exit(WRONG_FILE)
        except (click.Abort, KeyboardInterrupt):
            fail("interrupted")
        except OSError as error:
            _drop(sys.stdout)
            fail(reason(error))
        except (PluginError, OverwriteError) as error:
            fail(str(error))
        except MemoryError:
            fail("this takes more memory than there is")
        except Exception as error:
            fail(_own_error(error))
        finally:
            PRINTS.reset(prints)
        sys.exit(code if isinstance(code, int) else 0)

    def _main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; what code of a plug-in raises is its fault, an exit of its own too."""
        try:
            return super().main(*args, **{**kwargs, "standalone_mode": False})
        except (DiagnosticError, PluginError):
            raise
        except BaseException as error:
            cause = error.__cause__ if isinstance(error, click.Abort) else error
            if cause is None or is_interrupt(cause) or not (names := _plugin_in(cause)):
                raise
            raise PluginError(told(cause, names)) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader has gone, as `head` does: nothing is left to say
            _drop(sys.stdout)
            sys.exit(WRONG_CALL)


def fail(message: str) -> NoReturn:
    """End with a message about the call."""
    click.echo(f"netdsl: {message}", err=True)
    sys.exit(WRONG_CALL)


def check_output(output: str | None, file: str, purpose: str, option: str = "--output") -> None:
    """Refuse to write over a file that is read; `-` and None are standard output."""
    if output in (None, "-"):
        return
    try:
        check_not_read([output], [file])
    except OverwriteError:
        message = f"this is the file to {purpose}"
        raise click.BadParameter(message, param_hint=option) from None


def write(output: str | None, content: str | bytes, told: str) -> None:
    """Write what a command makes, and tell it; without a word to standard output."""
    if output in (None, "-"):
        data = content.encode() if isinstance(content, str) else content
        click.echo(data, nl=False)  # as it is, whatever the terminal's encoding
        return
    try:
        write_whole(output, content)
    except OSError as error:
        fail(f"can't write {output}: {reason(error)}")
    click.echo(f"{output}: {told}", err=True)


def show(diagnostics: Sequence[Diagnostic], form: str, *, err: bool = True) -> None:
    """Print diagnostics; text goes to standard error, the other forms to standard output."""
    if form != "text":
        from netdsl.diagnostics.formats import render

        click.echo(render(diagnostics, form, __version__))
        return
    stream = sys.stderr if err else sys.stdout
    colour = is_coloured(stream)
    text = render_text(diagnostics, colour=colour, width=width())
    if text:
        click.echo(text, err=err, color=colour or None)


def width() -> int:
    """The columns of the terminal; 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


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
    return (
        f"internal error: {type(error).__name__}: {error}{place}\n"
        "This is a mistake in netdsl, not in the file; please report it with the file."
    )


def _plugin_in(error: BaseException) -> dict[str, Any]:
    """The names of the plug-in that an error went through; empty if it went through none."""
    trace = error.__traceback__
    while trace is not None:
        if is_plugin(trace.tb_frame.f_globals):
            return trace.tb_frame.f_globals
        trace = trace.tb_next
    return {}


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
