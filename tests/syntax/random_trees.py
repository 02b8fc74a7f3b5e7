"""Random syntax trees that no text stands behind, and texts laid out in odd ways."""

from __future__ import annotations

from random import Random

from lark import Token

from netdsl.diagnostics import Sink, Source, Span
from netdsl.syntax import ast
from netdsl.syntax.lexing import tokenize
from netdsl.syntax.parser import machine

NOWHERE = Span(Source("<made>", ""), 0, 0)
NAMES = ["x", "width", "in_features", "H", "layer3", "_k", "Conv"]
WORDS = [*NAMES, "if", "use", "else", "net", "in", "true"]


class Trees:
    """Draws trees; `depth` bounds how far bodies and expressions are nested."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def file(self) -> ast.File:
        count = self.random.randint(1, 5)
        return ast.File(NOWHERE.source, tuple(self.definition() for _ in range(count)), ())

    def definition(self) -> ast.Definition:
        r = self.random
        match r.randrange(4):
            case 0:
                quoted = r.random() < 0.5
                path = (
                    ("./a b.net",) if quoted else tuple(self.text() for _ in range(r.randint(1, 3)))
                )
                names = (
                    None if r.random() < 0.5 else tuple(self.name() for _ in range(r.randint(1, 4)))
                )
                alias = self.name() if r.random() < 0.4 else None
                return ast.UseDefinition(path, quoted, names, alias, NOWHERE)
            case 1:
                return ast.FunctionDefinition(
                    self.name(), self.parameters(), self.expr(3), "", NOWHERE
                )
            case 2:
                return ast.NetDefinition(
                    self.name(), self.parameters(), self.body(2, net=True), "", NOWHERE
                )
            case _:
                inputs, results = self.block_inputs()
                return ast.BlockDefinition(
                    self.name(), self.parameters(), inputs, results, self.body(2), "", NOWHERE
                )

    def block_inputs(
        self,
    ) -> tuple[tuple[ast.BlockInput, ...] | None, tuple[ast.ListExpr, ...] | None]:
        r = self.random
        results = None if r.random() < 0.5 else tuple(self.list(1) for _ in range(r.randint(1, 3)))
        match r.randrange(4):
            case 0:
                return None, results
            case 1 if results:
                return (ast.BlockInput(None, self.list(1), NOWHERE),), results
            case 2:
                return (), results
            case _:
                return tuple(
                    ast.BlockInput(self.name(), self.list(1) if r.random() < 0.5 else None, NOWHERE)
                    for _ in range(r.randint(1, 3))
                ), results

    def parameters(self) -> tuple[ast.Parameter, ...]:
        r = self.random
        return tuple(
            ast.Parameter(
                self.name(),
                ast.TypeName(r.choice(["int", "layer", "scale", "size"]), r.randint(0, 2), NOWHERE),
                self.expr(2) if r.random() < 0.5 else None,
                NOWHERE,
            )
            for _ in range(r.choice([0, 1, 2, 2, 7]))
        )

    def text(self) -> str:
        return self.random.choice(NAMES)

    def name(self) -> ast.Name:
        return ast.Name(self.text(), NOWHERE)

    # --- statements and chains ---

    def body(self, depth: int, net: bool = False) -> ast.Body:
        count = self.random.choice([1, 1, 2])
        return ast.Body(tuple(self.statement(depth, net) for _ in range(count)), NOWHERE)

    def statement(self, depth: int, net: bool = False) -> ast.Statement:
        r = self.random
        match r.randrange(8):
            case 0 if net:
                dtype = self.name() if r.random() < 0.3 else None
                where = tuple(self.expr(2) for _ in range(r.randint(0, 2)))
                return ast.InputStatement(self.name(), dtype, self.list(2), where, NOWHERE)
            case 1 if net:
                return ast.OutputStatement(
                    self.name(), self.chain(depth), r.random() < 0.3, NOWHERE
                )
            case 2:
                return ast.LetStatement(self.name(), self.expr(3), NOWHERE)
            case 3:
                count = r.randint(1, 3)
                is_tuple = count > 1 or r.random() < 0.3
                targets = tuple(self.name() for _ in range(count))
                return ast.AssignStatement(targets, is_tuple, self.chain(depth), NOWHERE)
            case 4:
                fill = self.expr(1) if r.random() < 0.5 else None
                kind = r.choice([None, None, "frozen", "constant"])
                words = (ast.Name(kind, NOWHERE) if kind else None), r.choice([None, self.name()])
                return ast.WeightStatement(self.label(), *words, self.list(1), fill, NOWHERE)
            case 5:
                callee = (self.name(),)
                label = self.label() if r.random() < 0.3 else None
                stage = ast.LayerStage(label, callee, self.arguments(2), None, NOWHERE)
                return ast.LayerStatement(self.name(), stage, NOWHERE)
            case _:
                return ast.ChainStatement(self.chain(depth), NOWHERE)

    def chain(self, depth: int) -> ast.Chain:
        head = self.source(depth) if self.random.random() < 0.4 else None
        first = () if head else (self.stage(depth),)
        others = [self.stage(depth) for _ in range(self.random.choice([0, 0, 0, 1, 1, 2, 5]))]
        return ast.Chain(head, (*first, *others), NOWHERE)

    def source(self, depth: int) -> ast.Head:
        r = self.random
        match r.randrange(4):
            case 0:
                return ast.ValueSource(ast.NameExpr("in", NOWHERE), NOWHERE)
            case 1:
                base = ast.NameExpr(r.choice(["in", "down"]), NOWHERE)
                index = ast.Index(base, self.index(2), NOWHERE)
                return ast.ValueSource(index, NOWHERE)
            case 2 if depth > 0:
                return ast.ForSource(self.targets(), self.expr(1), self.body(depth - 1), NOWHERE)
            case _:
                chains = (
                    tuple(self.chain(depth - 1) for _ in range(r.randint(2, 4)))
                    if depth > 0
                    else ()
                )
                plain = ast.Chain(
                    ast.ValueSource(ast.NameExpr("in", NOWHERE), NOWHERE), (), NOWHERE
                )
                return ast.TupleSource(chains or (plain,), NOWHERE)

    def targets(self) -> tuple[ast.Name, ...]:
        return tuple(self.name() for _ in range(self.random.randint(1, 3)))

    def stage(self, depth: int) -> ast.Stage:
        r = self.random
        label = self.label() if r.random() < 0.4 else None
        if depth <= 0:
            return self.layer(label, 0)
        match r.randrange(10):
            case 0:
                return ast.Group(label, self.body(depth - 1), NOWHERE)
            case 1:
                return ast.Repeat(label, self.expr(1), self.body(depth - 1), NOWHERE)
            case 2:
                return ast.For(label, self.targets(), self.expr(1), self.body(depth - 1), NOWHERE)
            case 3:
                other = self.body(depth - 1) if r.random() < 0.5 else None
                return ast.If(label, self.expr(2), self.body(depth - 1), other, NOWHERE)
            case 4:
                return ast.Claim(self.list(2), NOWHERE)
            case 5:
                return ast.Each(label, self.body(depth - 1), NOWHERE)
            case _:
                return self.layer(label, depth)

    def layer(self, label: ast.Label | None, depth: int) -> ast.LayerStage:
        r = self.random
        callee = tuple(self.layer_word() for _ in range(r.choice([1, 1, 1, 2])))
        passed = self.arguments(2) if r.random() < 0.7 else None
        branches = self.body(depth - 1) if depth > 0 and r.random() < 0.3 else None
        if callee[0].text == "each" and passed is None:  # `each { ... }` is a body
            passed = ()
        is_inline = label is None and callee[0].text in NAMES and r.random() < 0.1
        return ast.LayerStage(label, callee, passed, branches, NOWHERE, is_inline)

    def layer_word(self) -> ast.Name:
        word = self.random.choice([*NAMES, *NAMES, "where", "weight", "each", "inline"])
        return ast.Name(word, NOWHERE)

    def arguments(self, depth: int) -> tuple[ast.Argument, ...]:
        return tuple(
            ast.Argument(
                self.name() if self.random.random() < 0.5 else None, self.expr(depth), NOWHERE
            )
            for _ in range(self.random.choice([0, 1, 1, 2, 2, 5]))
        )

    def label(self) -> ast.Label:
        return ast.Label(
            tuple(self.label_part() for _ in range(self.random.choice([1, 1, 2, 3]))), NOWHERE
        )

    def label_part(self) -> ast.LabelPart:
        r = self.random
        match r.randrange(4):
            case 0:
                return ast.LabelPart(str(r.randint(0, 12)), None, NOWHERE)
            case 1:
                text = r.choice(["block1-0", "a b", "", "1e5", "3x3", "x"])
                index = self.expr(1) if r.random() < 0.3 else None
                return ast.LabelPart(text, index, NOWHERE, is_quoted=True)
            case 2:
                return ast.LabelPart(r.choice(["", "down"]), self.expr(1), NOWHERE)
            case _:
                return ast.LabelPart(r.choice(WORDS), None, NOWHERE)

    # --- expressions ---

    def list(self, depth: int) -> ast.ListExpr:
        items = tuple(
            self.expr(depth - 1) for _ in range(self.random.choice([0, 1, 1, 2, 2, 3, 9]))
        )
        return ast.ListExpr(items, NOWHERE)

    def index(self, depth: int) -> ast.Expr:
        """What may stand in brackets behind a name: a range there would be read as a slice."""
        while isinstance(found := self.expr(depth), ast.Range):
            pass
        return found

    def expr(self, depth: int) -> ast.Expr:
        r = self.random
        if depth <= 0 or r.random() < 0.25:
            return self.atom()
        some = [self.expr(depth - 1) for _ in range(3)]
        match r.randrange(13):
            case 0:
                return self.list(depth)
            case 1:
                return ast.TupleExpr(tuple(some[: r.randint(2, 3)]), NOWHERE)
            case 2:
                return ast.Attribute(some[0], self.name(), NOWHERE)
            case 3:
                return ast.Index(some[0], self.index(depth - 1), NOWHERE)
            case 4:
                start, stop = r.choice([(0, 0), (1, 0), (0, 1), (1, 1)])
                ends = some[1] if start else None, some[2] if stop else None
                return ast.Slice(some[0], *ends, NOWHERE)
            case 5:
                return ast.CallExpr(
                    ast.NameExpr(self.text(), NOWHERE), self.arguments(depth - 1), NOWHERE
                )
            case 6:
                return ast.Unary(r.choice(["-", "+", "not"]), some[0], NOWHERE)
            case 7 | 8 | 9:
                operator = r.choice(["+", "-", "*", "/", "//", "%", "**", "and", "or"])
                return ast.Binary(operator, some[0], some[1], NOWHERE)
            case 10:
                operators = tuple(
                    r.choice(["==", "!=", "<=", ">=", "<", ">"]) for _ in range(r.choice([1, 2]))
                )
                return ast.Compare(tuple(some[: len(operators) + 1]), operators, NOWHERE)
            case 11:
                return ast.Conditional(*some, NOWHERE)
            case _:
                return ast.Range(some[0], some[1], NOWHERE)

    def atom(self) -> ast.Expr:
        r = self.random
        match r.randrange(6):
            case 0:
                return ast.Number(
                    r.choice([0, 7, 64, 2**62, 0.1, 1e-5, 1.5, 2.0, 1e22, 3e300]), NOWHERE
                )
            case 1:
                return ast.Text(r.choice(["", "zeros", "a # b", "x\\y {"]), NOWHERE)
            case 2:
                return ast.Truth(r.random() < 0.5, NOWHERE)
            case 3:
                return ast.SizeLiteral(r.choice([(3, 3), (2, 3, 4), (1.5, 2)]), NOWHERE)
            case _:
                return ast.NameExpr(r.choice([*NAMES, "in", "layer"]), NOWHERE)


def laid_out_anew(text: str, seed: int, comments: bool = True) -> str:
    """The same tokens with other spaces, lines and comments, wherever the language allows them."""
    random = Random(seed)
    code = [t for t in machine()[0].lex(text) if t.type != "COMMENT"]
    out: list[str] = []
    stack: list[str] = []
    for index, token in enumerate(code):
        if token.type in ("RPAR", "RSQB", "RBRACE"):
            stack.pop()
        may_break = bool(stack) and stack[-1] != "LBRACE"
        ahead = next((t for t in code[index:] if t.type != "NEWLINE"), token)
        continues = ahead.type in ("ARROW", "RBRACE") or (out and out[-1].endswith("{"))
        if token.type == "NEWLINE":
            out.append(_comment(random, index) if comments and random.random() < 0.15 else "")
            out.append("\n" * random.choice([1, 1, 2, 3]))
            continue
        if (may_break or continues) and random.random() < (0.04 if may_break else 0.2):
            shown = _comment(random, index) if comments and random.random() < 0.5 else ""
            out.append(f"{shown}\n")
        touches = index > 0 and code[index - 1].end_pos == token.start_pos
        out.append("" if touches else " " * random.choice([1, 1, 1, 2, 4]))
        out.append(str(token.value))
        if token.type in ("LPAR", "LSQB", "LBRACE"):
            stack.append(token.type)
    return "".join(out)


def _comment(random: Random, index: int) -> str:
    return random.choice(["  # c{}", " #c{}", '# {} -> { [ "', "#   - {}"]).replace(
        "{}", str(index)
    )


def tokens_of(text: str) -> list[tuple[str, str]]:
    """The parser's tokens of a text."""
    found = tokenize(machine()[0], Source("t.net", text), Sink())
    assert found is not None
    return [
        (t.type, str(t)) for tokens in found.definitions for t in tokens if isinstance(t, Token)
    ]
