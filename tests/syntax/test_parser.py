"""The parser: forms it takes, mistakes it explains, spans, comments; the grammar has no conflict."""

from __future__ import annotations

from time import process_time

import pytest

from netdsl.diagnostics import Sink, Source
from netdsl.diagnostics.pages import page
from netdsl.elaborate import Unit
from netdsl.lints.silence import check_directives, spoken
from netdsl.syntax import ast, grammar_text, parse
from netdsl.syntax.lexing import WORDS
from netdsl.syntax.parser import machine


def tree(text: str) -> ast.File:
    sink = Sink()
    file = parse(Source("t.net", text), sink)
    assert file is not None, [str(d) for d in sink.diagnostics]
    return file


def errors(text: str) -> list[str]:
    sink = Sink()
    assert parse(Source("t.net", text), sink) is None
    return [f"{d.code} {d.span.line}:{d.span.column}" for d in sink.diagnostics if d.span]


def body(lines: str) -> tuple[ast.Statement, ...]:
    (definition,) = tree(f"block B {{\n{lines}\n}}").definitions
    assert isinstance(definition, ast.BlockDefinition)
    return definition.body.statements


def expr(text: str) -> ast.Expr:
    (definition,) = tree(f"fn f(n: int) = {text}").definitions
    assert isinstance(definition, ast.FunctionDefinition)
    return definition.body


def lisp(e: ast.Expr) -> str:
    """An expression as nested prefix notation."""
    match e:
        case ast.Number(v) | ast.Truth(v):
            return str(v)
        case ast.NameExpr(n):
            return n
        case ast.Unary(op, x):
            return f"({op} {lisp(x)})"
        case ast.Binary(op, a, b):
            return f"({op} {lisp(a)} {lisp(b)})"
        case ast.Compare(xs, ops):
            return f"({' '.join(ops)} {' '.join(map(lisp, xs))})"
        case ast.Conditional(c, a, b):
            return f"(if {lisp(c)} {lisp(a)} {lisp(b)})"
        case ast.Range(a, b):
            return f"(.. {lisp(a)} {lisp(b)})"
        case ast.Index(a, b):
            return f"(at {lisp(a)} {lisp(b)})"
        case ast.Slice(a, b, c):
            return f"(cut {lisp(a)} {lisp(b) if b else '_'} {lisp(c) if c else '_'})"
        case ast.Attribute(a, n):
            return f"(. {lisp(a)} {n.text})"
        case ast.CallExpr(f, xs):
            return f"({lisp(f)} {' '.join(lisp(x.value) for x in xs)})"
        case ast.ListExpr(xs):
            return f"[{' '.join(map(lisp, xs))}]"
        case ast.TupleExpr(xs):
            return f"<{' '.join(map(lisp, xs))}>"
        case _:
            return str(e)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", "(+ 1 (* 2 3))"),
        ("1 - 2 - 3", "(- (- 1 2) 3)"),
        ("-2 ** 2", "(- (** 2 2))"),
        ("2 ** -3 ** 2", "(** 2 (- (** 3 2)))"),
        ("not a == b and c or d", "(or (and (not (== a b)) c) d)"),
        ("a < b <= c", "(< <= a b c)"),
        ("a if b else c if d else e", "(if b a (if d c e))"),
        ("0..n - 1", "(.. 0 (- n 1))"),
        (
            "l[1..] + l[..2] + l[a..b] + l[..]",
            "(+ (+ (+ (cut l 1 _) (cut l _ 2)) (cut l a b)) (cut l _ _))",
        ),
        ("in.shape[0] // 2", "(// (at (. in shape) 0) 2)"),
        ("max(a, [1, 2,], (3, 4))", "(max a [1 2] <3 4>)"),
        ("(a)", "a"),
        ("1e-5 + .5" if False else "1e-5", "1e-05"),
    ],
)
def test_expressions(text: str, expected: str) -> None:
    assert lisp(expr(text)) == expected


def test_lines_end_where_no_round_or_square_bracket_is_open() -> None:
    statements = body(
        "a = x\n  # comment\n\n  -> relu\n  -> conv(\n 3,\n 1)\nb = a; c = b\nc -> {\n relu\n -> relu\n}"
    )
    assert [type(s).__name__ for s in statements] == ["AssignStatement"] * 3 + ["ChainStatement"]
    assert len(statements[0].chain.stages) == 3


def test_braces_in_parentheses_count_line_ends_again() -> None:
    (statement,) = body("(x -> add {\n relu\n identity\n}, y) -> concat")
    assert len(statement.chain.head.items[0].stages[1].branches.statements) == 2


def test_else_continues() -> None:
    (statement,) = body("if a { relu }\nelse if b { relu }\nelse { identity }")
    (choice,) = statement.chain.stages
    assert isinstance(choice.otherwise.statements[0].chain.stages[0], ast.If)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("conv1: relu", [("conv1", False)]),
        ("block: relu", [("block", False)]),
        ("if: relu", [("if", False)]),
        ("0: relu", [("0", False)]),
        ('"block1-0".x: relu', [("block1-0", False), ("x", False)]),
        ("down[i + 1]: relu", [("down", True)]),
        ("fuse.[i].[j]: relu", [("fuse", False), ("", True), ("", True)]),
        ("fuse.0.1: relu", [("fuse", False), ("0", False), ("1", False)]),
        ("x -> branches.[i]: { relu }", [("branches", False), ("", True)]),
    ],
)
def test_labels(text: str, parts: list[tuple[str, bool]]) -> None:
    (statement,) = body(text)
    label = statement.chain.stages[-1].label
    assert [(p.text, p.index is not None) for p in label.parts] == parts


def test_comments_document_the_definition_below() -> None:
    file = tree("# far\n\n# one\n#  two\nnet A { input x: [1]\n output y = x }  # after\n")
    assert file.definitions[0].doc == "one\ntwo"
    assert [c.text for c in file.comments] == ["far", "one", "two", "after"]


def test_spans_are_exact() -> None:
    (statement,) = body("y = image -> a: conv(64, 3x3) -> add { relu ; identity }")
    texts = [item.span.text for item in statement.chain.stages]
    assert texts == ["image", "a: conv(64, 3x3)", "add { relu ; identity }"]


def test_inputs_and_parameters_of_blocks() -> None:
    def shape_of(head: str) -> tuple[int, int | None, int | None]:
        (b,) = tree(f"block {head} {{ relu }}").definitions
        assert isinstance(b, ast.BlockDefinition)
        counts = [None if part is None else len(part) for part in (b.inputs, b.results)]
        return len(b.parameters), counts[0], counts[1]

    assert shape_of("A") == (0, None, None)
    assert shape_of("A(n: int, l: [int] = [1])") == (2, None, None)
    assert shape_of("A(x, y)") == (0, 2, None)
    assert shape_of("A(n: int) (x, y: [C, H])") == (1, 2, None)
    assert shape_of("A : [C, H] -> [C, H]") == (0, 1, 1)
    assert shape_of("A(n: int) (x, y)\n -> ([1], [2])") == (1, 2, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("net A {", ["missing-bracket 1:7"]),
        ("net A { x }}", ["unexpected-bracket 1:12"]),
        ("net A { x -> conv(3 }", ["missing-bracket 1:21"]),
        ("net A:\n  x", ["missing-bracket 1:6"]),
        ("net A { y = x -> conv(64 3x3) }", ["missing-comma 1:26"]),
        ("net A { y = x -> conv 64 }", ["missing-bracket 1:23"]),
        ("net A { y = x -> relu relu }", ["missing-arrow 1:23"]),
        ("net A { y = x -> relu, conv(3) }", ["missing-arrow 1:22"]),
        ("net A { y = x = relu }", ["missing-arrow 1:15"]),
        ("net A { y = x -> }", ["syntax-error 1:15"]),
        ("net A { y = x -> conv(3, stride: 2) }", ["syntax-error 1:26"]),
        ("net A { }", ["empty-body 1:9"]),
        ("net A { layer = x }", ["reserved-word 1:9"]),
        ("net A { y = x -> conv(3) // note }", ["syntax-error 1:26"]),
        ("def f(): 3", ["syntax-error 1:1"]),
        ("net A { y = x -> conv(3xq) }", ["bad-number 1:23"]),
        ('net A { "open: relu }', ["bad-character 1:9"]),
        ("block A(n) (x) { relu }", ["missing-type 1:9"]),
        ("net A { y = relu -> (a, b) }", ["source-inside 1:21"]),
        (
            "net A { y = -> }\nnet B { y = x -> conv(3 4) }",
            ["syntax-error 1:13", "missing-comma 2:25"],
        ),
    ],
)
def test_mistakes(text: str, expected: list[str]) -> None:
    assert errors(text) == expected


def test_every_keyword_of_the_grammar_may_be_a_label_and_is_on_the_page_of_reserved_words() -> None:
    terminals = {t.name: t.pattern.value for t in machine()[0].terminals}
    keywords = {name for name, value in terminals.items() if value.isalpha() and value.islower()}
    assert {"IF", "REPEAT", "TRUE"} < keywords == WORDS - {"NAME"}
    assert all(f"`{terminals[name]}`" in page("reserved-word").meaning for name in keywords)


def test_the_grammar_has_no_conflict() -> None:
    pytest.importorskip("interegular")
    from lark import Lark

    class Keep:
        always_accept = ("COMMENT", "NEWLINE", "SEMICOLON")

        def process(self, stream):
            return stream

    Lark(grammar_text(), parser="lalr", lexer="basic", postlex=Keep(), strict=True)


@pytest.mark.parametrize("label", ["else", "else.0", "else[1]"])
def test_a_label_may_begin_with_else(label: str) -> None:
    first, second = body(f"    relu\n    {label}: conv(8)")
    assert isinstance(first, ast.ChainStatement)
    assert isinstance(second, ast.ChainStatement)


NETTED = "net A { input x: [1]; output y = x -> relu }\n"
LONG = {
    "comments": "# a comment line\n" * 300_000 + NETTED,
    "comments apart": "# a\n\n" * 300_000 + NETTED,
    "blank lines": "\n" * 3_000_000 + NETTED,
    "spaced lines": " \t\r\n" * 1_000_000 + NETTED,
    "semicolons": "net A { input x: [1]" + " ;" * 1_000_000 + " output y = x -> relu }",
    "a long line": f"# {'x' * 5_000_000}\n{NETTED}",
    "directives": "# allow: unused-name\n" * 200_000 + NETTED,
    "a string": f'net A {{ input x: [1]; output y = x -> relu("{"a" * 5_000_000}") }}',
    "brackets": f"fn f() = len([{'[1],' * 50_000}])\n{NETTED}",
    "deep": f"net A {{ input x: [1]; output y = x -> {'{' * 100_000}",
    "labels": "net A { input x: [1]; output y = x" + " -> a: relu" * 30_000 + "}",
    "parts": f"net A {{ input x: [1]; output y = x -> {'a.' * 60_000}b: relu }}",
    "closing": "}" * 300_000,
    "words": "x " * 1_000_100,
}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", LONG)
def test_a_long_text_is_read_in_time_that_grows_with_it(name: str) -> None:
    """Far above what is needed; what was quadratic took minutes."""
    start = process_time()
    sink = Sink()
    file = parse(Source("a.net", LONG[name]), sink)
    if file is not None:
        check_directives([Unit(file.source, None, comments=file.comments)], sink)
        spoken([], [Unit(file.source, None, comments=file.comments)], ())
    assert process_time() - start < 15
    assert {d.code for d in sink.diagnostics} <= {
        "too-deep", "too-large", "unexpected-bracket", "syntax-error"
    }  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_comments_keep_their_places(end: str) -> None:
    lines = ["# one", "", "  # two", "net A { # three", "    # four", "#", "    input x: [1] # five",
             "", "    output y = x", "    # six", "        -> relu", "}", "# seven"]  # fmt: skip
    text = end.join(lines)
    sink = Sink()
    file = parse(Source("a.net", text), sink)
    assert file is not None, sink.diagnostics
    expected = []
    for number, line in enumerate(lines, 1):
        if "#" in line:
            expected.append((number, line.index("#") + 1, line.partition("#")[2].strip()))
    assert [(c.span.line, c.span.column, c.text) for c in file.comments] == expected
    assert file.definitions[0].doc == "two"
