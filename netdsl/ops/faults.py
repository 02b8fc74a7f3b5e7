"""Code of plug-ins is run so that whatever it raises is told as its fault, not as ours."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, nullcontext, redirect_stdout
from contextvars import ContextVar
from functools import wraps
from types import FunctionType, TracebackType
from typing import Any, TextIO

PRINTS: ContextVar[TextIO | None] = ContextVar("prints", default=None)
"""Where what a plug-in prints goes; None: where it says. Standard output is for results."""
MARK = "__netdsl_contained__"


class PluginError(Exception):
    """A plug-in can't be used; the text says which, where, and why."""


def contain(op: type, methods: Iterable[str]) -> None:
    """Let these methods of a plug-in's class raise nothing but our own exceptions, in place."""
    for owner in op.__mro__:
        if owner is object or owner.__module__.startswith("netdsl."):
            continue
        for name in methods:
            method = vars(owner).get(name)
            if isinstance(method, FunctionType) and not hasattr(method, MARK):
                setattr(owner, name, _contained(method))


def _contained(method: FunctionType) -> Callable[..., Any]:
    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with contained(lambda error: told(error, method.__globals__)):
            return method(*args, **kwargs)

    setattr(call, MARK, True)
    return call


@contextmanager
def contained(say: Callable[[BaseException], str]) -> Generator[None]:
    """Within, `SystemExit` and the like become a `PluginError` too, with the text of `say`."""
    stream = PRINTS.get()
    try:
        with nullcontext() if stream is None else redirect_stdout(stream):
            yield
    except BaseException as error:
        if _is_ours(error) or is_interrupt(error):
            raise
        raise PluginError(say(error)) from error


def is_interrupt(error: BaseException) -> bool:
    """Whether it may be a person's interrupt, and not one that a plug-in raises."""
    handler = signal.getsignal(signal.SIGINT)
    return isinstance(error, KeyboardInterrupt) and handler is signal.default_int_handler


def _is_ours(error: BaseException) -> bool:
    return type(error).__module__.startswith("netdsl.")


def told(error: BaseException, names: dict[str, Any]) -> str:
    """What a plug-in raised, and in which line of the module with these globals."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals is not names:
        trace = trace.tb_next
    return f"a plug-in fails: {type(error).__name__}: {error}{_place(trace)}"


def _place(trace: TracebackType | None) -> str:
    if trace is None:
        return ""
    code = trace.tb_frame.f_code
    return f" ({code.co_filename}, line {trace.tb_lineno}, in {code.co_name})"
