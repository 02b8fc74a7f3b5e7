"""Lines whose result nothing uses: what is said of each kind, and where."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.diagnostics import Diagnostic


def said(text: str) -> Diagnostic:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(text)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.span is not None
    return diagnostic


def net(lines: str, before: str = "") -> str:
    return f"{before}\nnet A {{\n    input x: [4, 8, 8]\n    {lines}\n}}"


def test_each_kind_by_its_name() -> None:
    for line, what, way in (
        ("x -> relu", "nothing uses what this line computes", "name the result"),
        ("h = x -> relu", "nothing uses `h`", "use `h` in a line below"),
        ("(a, b) = x -> split(2)", "nothing uses `a` or `b`", "use `a` or `b`"),
        ("weight w: [4, 1, 1]", "nothing uses the weight `w`", "`(x, w) -> add`"),
        ("weight w.bias: [4]", "nothing uses the weight `w.bias`", "meet a value"),
    ):
        diagnostic = said(net(f"{line}\n    output y = x -> relu"))
        assert (diagnostic.code, diagnostic.message) == ("unused-result", what)
        assert way in diagnostic.help[0]
        assert diagnostic.span is not None
        assert diagnostic.span.text == line


def test_a_weight_may_meet_a_value_as_the_help_says() -> None:
    diagnostic = said(net("weight w: [4, 1, 1]\n    output y = x -> relu"))
    way = diagnostic.help[0].split("`")[1]
    network = netdsl.loads(net(f"weight w: [4, 1, 1]\n    output y = {way} -> relu"))
    assert network.summary().parameters == 4


@pytest.mark.parametrize("turn", [0, 1, 2])
def test_used_in_one_turn_of_a_loop(turn: int) -> None:
    """The line is used, so it is not said that nothing uses it; the first idle turn is told."""
    body = f"h = x -> conv(4, 1)\n        if i == {turn} {{ (h, x) -> add }} else {{ x -> relu }}"
    diagnostic = said(net(f"output y = (for i in 0..3 {{\n        {body}\n    }}) -> add"))
    assert diagnostic.code == "unused-result"
    assert "nothing" not in diagnostic.message
    assert f"not in turn {1 if turn == 0 else 0} of its loop" in diagnostic.message
    assert diagnostic.span is not None
    assert diagnostic.span.text == "h = x -> conv(4, 1)"


def test_moved_as_the_help_says() -> None:
    body = "if i == 1 { h = x -> conv(4, 1) ; (h, x) -> add } else { x -> relu }"
    assert netdsl.loads(net(f"output y = (for i in 0..3 {{ {body} }}) -> add")).warnings == ()


def test_used_in_one_use_of_a_block() -> None:
    before = (
        "block B(last: bool) (a) { h = a -> conv(4, 1)\n if last { (h, a) -> add } else { a } }"
    )
    diagnostic = said(net("output y = x -> B(true) -> B(false)", before))
    assert diagnostic.message.endswith("not in this use")
    assert [label.span.text for label in diagnostic.secondary] == ["B(false)"]


def test_what_a_later_turn_or_line_takes_is_used() -> None:
    for lines in (
        "output y = x -> for i in 0..3 { h = relu\n(h, x) -> add }",
        "d = x -> for i in 0..3 { e[i]: conv(4, 1) }\n    output y = (d, e[0]) -> add",
    ):
        netdsl.loads(net(lines))


@pytest.mark.parametrize(
    ("line", "name", "mended"),
    [
        ("h[0] = x -> relu", "h[0]", "x -> h[0]: relu\n    output y = h[0] -> tanh"),
        ("h[1 + 1] = x -> relu", "h[1 + 1]", "x -> h[1 + 1]: relu\n    output y = h[2] -> tanh"),
        ("a.b = x -> relu", "a.b", "output y = x -> a.b: relu -> tanh"),
    ],
)
def test_a_part_of_a_name_is_a_label(line: str, name: str, mended: str) -> None:
    diagnostic = said(net(f"{line}\n    output y = x"))
    assert diagnostic.code == "bad-label"
    assert diagnostic.fix is None
    assert f"`... -> {name}: " in diagnostic.help[0]
    assert diagnostic.span is not None
    assert diagnostic.span.text == name
    netdsl.loads(net(mended))


def test_an_equal_sign_elsewhere_is_no_label() -> None:
    assert said(net("y = x -> [4, 8, 8] = x\n    output z = y")).code == "missing-arrow"


def test_a_loop_at_the_head_is_told_its_two_forms() -> None:
    (help,) = said(net("output y = for i in 0..3 { x -> relu }")).help
    assert "`image -> for ...`" in help
    assert "`(for ... { image -> ... })`" in help
    for mended in "x -> for i in 0..3 { relu }", "(for i in 0..3 { x -> relu }) -> add":
        netdsl.loads(net(f"output y = {mended}"))


# --- stages of no line, and what blocks leave unread ----------------------------------------


UNREAD = "block B { in[0] -> tanh }"
IDLE_STAGES = (
    ("output y = (x, x -> conv(4, 1)) -> B", "conv(4, 1)", UNREAD),
    ("output y = (x, x -> relu -> Two) -> B", "Two", f"{UNREAD}\nblock Two {{ (relu, tanh) }}"),
    ("(a, b) = (x -> relu, x -> conv(4, 1))\n    output y = a", "conv(4, 1)", ""),
    ("output y = x -> conv(4, 1) -> add { x ; x -> relu }", "conv(4, 1)", ""),
    ("output y = x -> repeat 2 { conv(4, 1) -> { x -> relu } }", "conv(4, 1)", ""),
    ("output y = (x, x -> C) -> B", "C", f"{UNREAD}\nblock C {{ conv(4, 1) -> relu }}"),
)


@pytest.mark.parametrize(("lines", "stage", "before"), IDLE_STAGES)
def test_a_stage_whose_result_is_left_where_it_flows(lines: str, stage: str, before: str) -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(net(lines, before))
    errors = [d for d in caught.value.diagnostics if d.code == "unused-result"]
    assert [(d.message, d.span.text) for d in errors if d.span] == [
        ("nothing uses what this computes", stage)
    ]


@pytest.mark.parametrize(
    ("lines", "before"),
    [
        ("(a, _) = (x -> relu, x -> conv(4, 1))\n    output y = a", ""),
        ("output y = (x, x -> conv(4, 1)) -> B", "block B (x, _rest) { x -> relu }"),
        ("output y = x -> Two -> B", f"{UNREAD}\nblock Two {{ (relu, conv(4, 1)) }}"),
        ("(a, b) = x -> split(2)\n    output y = a", ""),
        ("output y = x -> conv(4, 1)\n    output aux = x -> conv(2, 1) when training", ""),
        ("_ = x -> conv(4, 1) -> relu\n    output y = x -> relu", ""),
        ("output y = (x, x -> conv(1, 3)) -> E", "block E { in[0] -> upsample(size=in[1]) }"),
    ],
)
def test_what_is_let_go_by_its_name_or_given_beside_others(lines: str, before: str) -> None:
    netdsl.loads(net(lines, before))


@pytest.mark.parametrize(
    ("lines", "before", "unread"),
    [
        ("output y = (x, h) -> B -> add { identity ; h }", UNREAD, "`in[1]` is never used in `B`"),
        ("output y = (x, h) -> each { in[1] -> exp }", "", "`in[0]` is never used in this `each`"),
        ("output y = (x, h) -> C", f"{UNREAD}\nblock C {{ B }}", "`in[1]` is never used in `B`"),
        ("output y = (x, h) -> S", "block S { in[0] -> upsample(size=(in[1].height, 8)) }", ""),
        ("output y = (x, h) -> S", "block S { in[0] -> upsample(size=in[1]) }", ""),
        ("output y = (x, h) -> P(0) -> add { identity ; (x, h) -> P(1) }",
         "block P(i: int) { in[i] -> relu }", ""),
        ("output y = (x, h) -> S", "block S { add { in[0] ; in[1] -> relu } }", ""),
        ("output y = (x, h) -> S", "block S { concat }", ""),
    ],
)  # fmt: skip
def test_inputs_that_a_block_leaves_unread(lines: str, before: str, unread: str) -> None:
    network = netdsl.loads(net(f"h = x -> conv(4, 1)\n    _ = h -> relu\n    {lines}", before))
    assert [w.message for w in network.warnings] == ([unread] if unread else [])
    assert {w.code for w in network.warnings} <= {"unused-name"}


def test_an_unread_input_is_silenced_at_the_use() -> None:
    lines = "output y = (x, x) -> B # allow: unused-name\n"
    assert netdsl.loads(net(lines, UNREAD)).warnings == ()


@pytest.mark.parametrize("dropped", range(3))
def test_one_of_several_results_may_be_dropped(dropped: int) -> None:
    """Whichever it is, the lines of the block that make it alone are no fault of its user."""
    steps = (
        "block Steps {\n    a = relu\n    b = a -> conv(4, 1)\n    c = b -> tanh\n    (a, b, c)\n}"
    )
    names = [f"_{n}" if i == dropped else n for i, n in enumerate("pqr")]
    kept = " ; ".join(n for n in names if n[0] != "_")
    text = f"({', '.join(names)}) = x -> Steps\n    output y = add {{ {kept} }}"
    assert netdsl.loads(net(text, steps)).warnings == ()
