"""Whether the numbers of a model are numbers of the types that they are written in."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from math import inf, isinf, isnan

from netdsl.backends.onnx.model import Model, Stored
from netdsl.diagnostics import Diagnostic, DiagnosticError, Severity, Span
from netdsl.ops.lowering import OnnxNode, OnnxValue

FORMS = {"float32": "f", "float16": "e"}
LIMITS = {"float32": "3.40282e+38", "float16": "65504"}
WHOLE = {"int64": 64, "int32": 32, "int16": 16, "int8": 8}
LONGEST = 40
MOST_SAMPLES = 2**31 - 1


def is_batch(number: object) -> bool:
    """Whether it is a number of samples."""
    return type(number) is int and 1 <= number <= MOST_SAMPLES


def check_node(nodes: Iterable[OnnxNode], values: Iterable[OnnxValue], span: Span) -> None:
    """Attributes are single precision and 64-bit numbers. Raises `DiagnosticError`."""
    for node in nodes:
        for name, attribute in node.attributes.items():
            for number in attribute if isinstance(attribute, list) else [attribute]:
                if not isinstance(number, str):
                    dtype = "int64" if isinstance(number, int) else "float32"
                    _check(number, dtype, f"`{name}` of {node.op}", span)
    for value in values:
        for size in value.shape:
            if isinstance(size, int):
                _check(size, "int64", "a size", span)


def check_constants(model: Model) -> list[Diagnostic]:
    """Raises `DiagnosticError` for constants beyond their type; warns of those that become 0."""
    wrong: list[Diagnostic] = []
    lost: list[Diagnostic] = []
    for stored in model.stored:
        for diagnostic in _of(stored):
            (wrong if diagnostic.is_error else lost).append(diagnostic)
    if wrong:
        raise DiagnosticError(wrong)
    return lost


def _of(stored: Stored) -> Iterator[Diagnostic]:
    """What is wrong with a constant: its first number out of range, or the first that is lost."""
    beyond = next((n for n in stored.numbers if not _fits(n, stored.dtype)), None)
    if beyond is not None:
        yield _beyond(beyond, stored.dtype, "a constant", stored.span)
        return
    small = (n for n in stored.numbers if n and not _rounded(float(n), stored.dtype))
    lost = next(small, None) if stored.dtype in FORMS else None
    if lost is not None:
        message = f"{lost:.6g} is 0 in {stored.dtype}"
        help = "where it keeps a divisor from 0, a larger one is needed in this precision"
        yield Diagnostic("number-range", message, stored.span, Severity.WARNING, help=(help,))


def _check(number: float, dtype: str, what: str, span: Span | None) -> None:
    if not _fits(number, dtype):
        raise DiagnosticError([_beyond(number, dtype, what, span)])


def _fits(number: float, dtype: str) -> bool:
    if dtype in WHOLE:
        half = 1 << (WHOLE[dtype] - 1)
        return isinf(number) is False and -half <= number < half
    if dtype not in FORMS or isinf(number) or isnan(number):
        return True
    return not isinf(_rounded(float(number), dtype))


def _rounded(number: float, dtype: str) -> float:
    """The nearest number of a type."""
    form = f"<{FORMS[dtype]}"
    try:
        return struct.unpack(form, struct.pack(form, number))[0]
    except OverflowError:
        return inf


def _beyond(number: float, dtype: str, what: str, span: Span | None) -> Diagnostic:
    shown = f"{number}" if isinstance(number, int) else f"{number:.6g}"
    shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
    limit = LIMITS.get(dtype) or str((1 << (WHOLE[dtype] - 1)) - 1)
    help = "export without half precision" if dtype == "float16" else "a smaller number"
    return Diagnostic(
        "number-range", f"{what} is {shown}, and {dtype} ends at {limit}", span, help=(help,)
    )
