"""Formulas in Python: Python itself must read the tree that was printed, in as few brackets."""

from __future__ import annotations

import ast
from random import Random

import pytest

import netdsl
from netdsl.backends.torch.formulas import FUNCTIONS, python_text, variables
from netdsl.ir.formula import (
    IN_CHANNELS,
    Attribute,
    Call,
    Comparison,
    Conditional,
    Constant,
    Formula,
    Index,
    Items,
    Name,
    Operation,
    total,
)

NAMES = ["n", "width", "k"]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "and", "or"]
COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
PYTHON = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
          ast.Pow: "**", ast.And: "and", ast.Or: "or", ast.Not: "not", ast.USub: "-", ast.UAdd: "+"}  # fmt: skip


def random_formula(random: Random, depth: int) -> Formula:
    """Any tree at all, most deeper than what a file holds."""

    def below(count: int) -> tuple[Formula, ...]:
        return tuple(random_formula(random, depth - 1) for _ in range(count))

    if depth == 0 or random.random() < 0.1:
        leaves = [Constant(3), Constant(0.5), Constant(True), Constant("same"), IN_CHANNELS]
        return random.choice([*leaves, *map(Name, NAMES)])
    match random.randrange(8):
        case 0:
            return Operation(random.choice(["-", "+", "not"]), below(1))
        case 1:
            count = random.randint(1, 2)
            return Comparison(tuple(random.choices([*COMPARE.values()], k=count)), below(count + 1))
        case 2:
            return Conditional(*below(3))
        case 3:
            return Index(*below(2))
        case 4:
            return Items(below(random.randint(1, 3)), is_list=random.random() < 0.5)
        case 5:
            return Call(random.choice([*FUNCTIONS]), below(random.randint(1, 2)))
        case _:
            return Operation(random.choice(BINARY), below(2))


def read(node: ast.expr) -> Formula:
    """What Python understands of an expression, as a formula."""
    match node:
        case ast.Constant(value):
            return Constant(value)
        case ast.Name(name):
            return IN_CHANNELS if name == "in_channels" else Name(name)
        case ast.UnaryOp(operator, operand):
            return Operation(PYTHON[type(operator)], (read(operand),))
        case ast.BinOp(left, operator, right):
            return Operation(PYTHON[type(operator)], (read(left), read(right)))
        case ast.BoolOp(operator, [first, *others]):
            formula = read(first)
            for other in others:  # `a and b and c` is one node in Python
                formula = Operation(PYTHON[type(operator)], (formula, read(other)))
            return formula
        case ast.Compare(left, operators, others):
            signs = tuple(COMPARE[type(operator)] for operator in operators)
            return Comparison(signs, tuple(map(read, [left, *others])))
        case ast.IfExp(test, body, orelse):
            return Conditional(read(body), read(test), read(orelse))
        case ast.Subscript(base, index):
            return Index(read(base), read(index))
        case ast.Tuple(items) | ast.List(items):
            return Items(tuple(map(read, items)), isinstance(node, ast.List))
        case ast.Call(ast.Name(name), arguments):
            return Call(name, tuple(map(read, arguments)))
    raise AssertionError(ast.dump(node))


def tree_of(text: str) -> Formula | None:
    try:
        (formula,) = ast.parse(f"[{text}]", mode="eval").body.elts  # type: ignore[attr-defined]
        return read(formula)
    except (SyntaxError, ValueError, AssertionError):
        return None


def without_a_pair(text: str) -> list[str]:
    """The text without one pair of parentheses, for each pair in it."""
    texts: list[str] = []
    opened: list[int] = []
    for place, character in enumerate(text):
        if character == "(":
            opened.append(place)
        elif character == ")":
            start = opened.pop()
            texts.append(f"{text[:start]} {text[start + 1 : place]} {text[place + 1 :]}".strip())
    return texts


def test_python_reads_the_tree_that_was_printed() -> None:
    random = Random(5)
    needed = 0
    for _ in range(3000):
        formula = random_formula(random, random.randint(1, 4))
        text = python_text(formula)
        assert text is not None
        assert tree_of(text) == formula, text
        for fewer in without_a_pair(text):
            if "[(" not in text:  # `a[(b, c)]` keeps its parentheses
                assert tree_of(fewer) != formula, (text, fewer)
                needed += 1
    assert needed > 2000


def test_variables_are_the_names_that_python_reads() -> None:
    random = Random(6)
    for _ in range(500):
        formula = random_formula(random, 4)
        text = python_text(formula)
        assert text is not None
        names = [n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)]
        assert set(variables(formula)) == set(names) - {*FUNCTIONS}


@pytest.mark.parametrize(
    "formula",
    [
        Name("lambda"),
        Operation("+", (Name("n"), Name("class"))),
        Call("ceil", (Name("n"),)),
        Attribute(Name("x"), "channels"),
        Attribute(Name("in"), "height"),
    ],
)
def test_what_python_lacks_is_not_printed(formula: Formula) -> None:
    assert python_text(formula) is None


def test_a_total_is_the_sum_without_parentheses() -> None:
    a, b, c, d = map(Name, "abcd")
    right = Operation("-", (Operation("+", (b, c)), d))
    assert python_text(total(a, right)) == "a + b + c - d"
    assert python_text(total(a, Operation("-", (b,)))) == "a + -b"
    assert python_text(total(a, Conditional(b, c, d))) == "a + (b if c else d)"


BLOCK = """
block B(n: int, deep: bool = false, lambda: int = 3) {
    let hidden = 4 * n
    let plus = hidden + 1
    conv(plus * 2, 1) -> conv(in.channels + plus, 1) -> conv(n if deep else hidden // 2, 1)
    -> conv(hidden ** 2 - (plus - n), 1) -> conv([8, 16, 24][n % 3], 1) -> conv(lambda + 1, 1)
}
net A {
    input x: [3, 8, 8]
    output y = x -> a: B(4) -> b: B(5, lambda=4) -> c: B(6, deep=true) -> relu
}
"""


def test_a_block_says_its_settings_over_its_parameters() -> None:
    source = " ".join(netdsl.loads(BLOCK).torch_source().split())
    assert "def __init__(self, in_channels: int, n: int, deep: bool, channels: int)" in source
    for text in (
        "nn.Conv2d(in_channels, (4 * n + 1) * 2, kernel_size=1)",
        "nn.Conv2d( (4 * n + 1) * 2, in_channels + (4 * n + 1), kernel_size=1 )",
        "nn.Conv2d( in_channels + (4 * n + 1), n if deep else 4 * n // 2, kernel_size=1 )",
        "n if deep else 4 * n // 2, (4 * n) ** 2 - (4 * n + 1 - n), kernel_size=1 )",
        "nn.Conv2d([8, 16, 24][n % 3], channels, kernel_size=1)",
    ):
        assert text in source


def test_lets_that_double_each_other_do_not_grow_the_source() -> None:
    lets = "".join(f"    let a{i + 1} = a{i} + a{i} - a{i}\n" for i in range(40))
    text = f"""
block B(n: int) {{
    let a0 = n
{lets}    conv(a2, 1) -> conv(a40, 1)
}}
net A {{ input x: [3, 8, 8]; output y = x -> B(4) -> B(5) -> relu }}
"""
    source = netdsl.loads(text).torch_source()
    assert "n + n - n + (n + n - n) - (n + n - n)" in source
    assert len(source) < 2000
