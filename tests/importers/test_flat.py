"""A program by hand: as flat text, checked, at its places, and at sizes that its layers allow."""

from __future__ import annotations

import pytest

from netdsl import DiagnosticError
from netdsl.diagnostics import Source, Span
from netdsl.importers.frontend import Answer
from netdsl.importers.imported import imported
from netdsl.importers.program import (
    Axis,
    Call,
    Computed,
    Input,
    Output,
    Program,
    Region,
    Table,
    Value,
)

SOURCE = Source("net.cfg", "conv one\nconv two\nadd\nhead\n")


def at(line: int) -> Span:
    start = SOURCE.line_starts[line - 1]
    return Span(SOURCE, start, start + len(SOURCE.line(line)))


def program(*, with_head: bool = False, width: int = 8) -> Program:
    image = Value("image", (3, 8, 10))
    a, b, c, scale, d = (Value() for _ in range(5))
    a.shape = (8, 8, 10)
    items = [
        Table(scale, ("scale",), (width, 1, 1), at(3)),
        Call(
            "conv",
            {"channels": 8, "kernel": (3, 3), "padding": (1, 1)},
            [image],
            [a],
            at(1),
            ("stem", "0"),
        ),
        Call(
            "conv",
            {"channels": width, "kernel": 3, "padding": 1, "dilation": (1, 1)},
            [a],
            [b],
            at(2),
            ("block-1", "conv"),
        ),
        Call("mul", {}, [b, scale], [c], at(3)),
        Call("add", {}, [a, c], [d], at(3)),
    ]
    last = d
    if with_head:
        flat, last = Value(), Value()
        items += [
            Call("flatten", {}, [d], [flat], at(4)),
            Call("linear", {"features": 4}, [flat], [last], at(4), ("fc",)),
        ]
    else:
        last = Value()
        size = (Computed("*", (2, Axis(a, 1))), Computed("-", (Axis(a, 2), 1)))
        items.append(Call("upsample", {"size": size}, [d], [last], at(4)))
    root = Region((), "", at(1), items, [image], [last])
    return Program(
        "Small", root, [Input("image", image, (3, "H", "W"), at(1))], [Output("y", last, at(4))]
    )


def test_each_call_is_a_line() -> None:
    result = imported(Answer(program()))
    assert not result.is_flat
    print(result.text)


def test_sizes_are_open_where_they_may_be() -> None:
    assert "image: [3, H, W]" in imported(Answer(program())).text
    assert "image: [3, 8, 10]" in imported(Answer(program(with_head=True))).text


def test_an_error_stands_at_its_place_in_the_source() -> None:
    with pytest.raises(DiagnosticError) as caught:
        imported(Answer(program(width=7)))
    (error,) = caught.value.diagnostics
    assert (str(error.span), error.code) == ("net.cfg:3:1", "shape-mismatch")
