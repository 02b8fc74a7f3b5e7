"""How diagnostics look in a terminal."""

from __future__ import annotations

from netdsl.diagnostics import Diagnostic, Edit, Fix, Label, Source, Span
from netdsl.diagnostics.render import columns, render_text


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
        "1 error"
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
