"""How diagnostics look in a terminal."""

from __future__ import annotations

from typing import Any

import pytest

from netdsl.diagnostics import Diagnostic, Edit, Fix, Label, Source, Span
from netdsl.diagnostics.columns import columns
from netdsl.diagnostics.render import render_text


def test_a_whole_page() -> None:
    source = Source("a.net", "net A {\n\tx = y -> convv(3)\n}\n")
    at = source.text.index("convv")
    span = Span(source, at, at + 5)
    diagnostic = Diagnostic(
        "unknown-layer",
        "there is no layer `convv`",
        span,
        label="here",
        secondary=(Label(Span(source, 4, 5), "in this net"),),
        notes=("a note",),
        help=("did you mean `conv`?",),
        fix=Fix("write `conv`", (Edit(span, "conv"),)),
    )
    assert render_text([diagnostic]) == (
        "error[unknown-layer]: there is no layer `convv`\n"
        " --> a.net:2:11\n"
        "  |\n"
        "2 |     x = y -> convv(3)\n"
        "  |              ^^^^^ here\n"
        " ::: a.net:1:5\n"
        "  |\n"
        "1 | net A {\n"
        "  |     - in this net\n"
        "  = note: a note\n"
        "  = help: did you mean `conv`?\n"
        "  = fix: write `conv`\n"
        "2 +     x = y -> conv(3)\n"
        "\n"
        "1 error; `netdsl explain unknown-layer` tells more"
    )


def test_wide_and_combining_characters_keep_the_mark_in_place() -> None:
    source = Source("a.net", "日本e\u0301 here")
    text = render_text([Diagnostic("c", "m", Span(source, 5, 9))])
    line, mark = text.splitlines()[3:5]
    assert columns(line[: line.index("here")]) == mark.index("^")


def test_long_lines_are_cut_around_the_mark() -> None:
    source = Source("a.net", "x" * 500 + "HERE" + "y" * 500)
    text = render_text([Diagnostic("c", "m", Span(source, 500, 504))], width=80)
    lines = text.splitlines()
    assert all(columns(line) <= 80 for line in lines)
    assert lines[4].index("^") == lines[3].index("HERE")


def test_control_characters_do_not_reach_the_terminal() -> None:
    source = Source("\x1b[31m.net", "a \x1b[2J b\u202e")
    text = render_text([Diagnostic("c", "m \x07", Span(source, 0, 1))])
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_colour_is_asked_for() -> None:
    diagnostic = Diagnostic("c", "m", None)
    assert "\x1b[" in render_text([diagnostic], colour=True)
    assert "\x1b[" not in render_text([diagnostic])


def page(text: str, first: str, last: str, width: int = 100, **fields: Any) -> str:
    """A diagnostic on the text from `first` to the end of `last`, rendered."""
    source = Source("a.net", text)
    start = text.index(first)
    span = Span(source, start, text.index(last, start) + len(last))
    return render_text([Diagnostic("c", "m", span, **fields)], width=width)


def test_a_span_over_many_lines() -> None:
    assert page("a\n\tb -> add {\n1\n2\n3 }\n", "add", "}", label="here") == (
        "error[c]: m\n"
        " --> a.net:2:7\n"
        "  |\n"
        "2 |       b -> add {\n"
        "  |  __________^\n"
        "... |\n"
        "5 | | 3 }\n"
        "  | |___^ here\n"
        "\n"
        "1 error; `netdsl explain c` tells more"
    )
    assert "3 | | middle\n" in page("\n{\nmiddle\n}", "{", "}")


@pytest.mark.parametrize("before", ["\t", "日本", "e\u0301", "👍🏽", "❤\ufe0f", "\x1b[31m", "नि"])
def test_the_mark_stands_below(before: str) -> None:
    line, mark = page(f"x {before} here y", "here", "here").splitlines()[3:5]
    assert columns(line[: line.index("here")]) == mark.index("^")
    assert mark.count("^") == 4


@pytest.mark.parametrize("filler", ["x", "日", "\t", "e\u0301", "\u202e"])
@pytest.mark.parametrize("length", [50, 5000])
def test_no_line_of_the_file_is_wider_than_the_terminal(filler: str, length: int) -> None:
    text = filler * length + "HERE" + filler * length
    lines = page(text, "HERE", "HERE", width=70).splitlines()
    assert all(columns(line) <= 70 for line in lines)
    assert columns(lines[3][: lines[3].index("HERE")]) == lines[4].index("^")
    long = page(text, filler, "E" + filler * 40, width=70).splitlines()
    assert all(columns(line) <= 70 for line in long)


def test_a_fix_that_takes_lines_away_and_one_of_two_edits() -> None:
    text = "net A {\n  a\n  b\n}\n"
    source = Source("a.net", text)
    joined = Fix("join them", (Edit(Span(source, text.index("\n  b"), text.index("b")), " -> "),))
    shown = render_text([Diagnostic("c", "m", None, fix=joined)])
    assert "  = fix: join them\n2 +   a -> b\n" in shown
    two = Fix("t", tuple(Edit(Span(source, i, i + 1), "x") for i in (text.index("A"), 4 + 2)))
    assert "1 + net x x\n" in render_text([Diagnostic("c", "m", None, fix=two)])


def test_a_name_as_long_as_a_file_is_cut() -> None:
    assert len(render_text([Diagnostic("c", "m" * 1_000_000, None)])) < 3000


def test_marks_on_one_line_share_it() -> None:
    source = Source("a.net", "add { a ; b }\nc\n")
    shown = render_text(
        [
            Diagnostic(
                "c",
                "m",
                Span(source, 0, 3),
                secondary=(
                    Label(Span(source, 6, 7), "one"),
                    Label(Span(source, 10, 11), "two"),
                    Label(Span(source, 14, 15), "other"),
                ),
            )
        ]
    )
    assert shown == (
        "error[c]: m\n"
        " --> a.net:1:1\n"
        "  |\n"
        "1 | add { a ; b }\n"
        "  | ^^^\n"
        "  |       - one\n"
        "  |           - two\n"
        " ::: a.net:2:1\n"
        "  |\n"
        "2 | c\n"
        "  | - other\n"
        "\n"
        "1 error; `netdsl explain c` tells more"
    )
