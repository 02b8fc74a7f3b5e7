"""What is asked of layers stands on their classes: nothing else tells them apart by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from netdsl.ops.base import registry
from netdsl.ops.facts import FAMILIES, Work

ROOT = Path(__file__).resolve().parents[2] / "netdsl"
CLASSES = {op.__name__ for op in registry().values()} | {"Weight", "Activation"}
BY_TYPE = {
    "analyses/memory.py": {"Weight"},
    "elaborate/bodies.py": {"Weight"},
    "ir/verify.py": {"Weight"},
    "analyses/training.py": {"Weight"},
    "lints/size_unlike_pytorch.py": {"Upsample"},
}
"""Where a type of layers may be told apart: weights are no layers, and one lint is about one layer."""
OTHER_NAMES = {"elaborate/builtins.py", "elaborate/otherwise.py"}
"""Where names mean something else: functions of the language, and ways out that are written."""


def is_op(node: ast.AST) -> bool:
    """Whether an expression is an op: `op`, `node.op`, `op_of(node)`, `cast(Op, x)`."""
    match node:
        case ast.Name(id="op") | ast.Attribute(attr="op"):
            return True
        case ast.Call(func=ast.Name(id="op_of")):
            return True
        case ast.Call(func=ast.Name(id="cast"), args=[ast.Name(id="Op"), *_]):
            return True
        case _:
            return False


def is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "name" and is_op(node.value)


def is_written(node: ast.AST) -> bool:
    """Whether it is what stands in the file: a name that is compared with what it stands for."""
    return isinstance(node, ast.Attribute) and node.attr == "text"


def texts(node: ast.AST) -> list[str]:
    """The strings of a literal; the keys of a dict."""
    match node:
        case ast.Dict():
            parts: list[ast.expr | None] = list(node.keys)
        case ast.Tuple() | ast.List() | ast.Set():
            parts = list(node.elts)
        case _:
            return []
    found = [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
    return found if len(found) == len(parts) else []


def told_apart(text: str, path: str = "") -> Iterator[int]:
    """The lines in which layers are told apart by their names, their types or their fields."""
    for node in ast.walk(ast.parse(text)):
        wrong = False
        match node:
            case ast.Compare():
                sides = (node.left, *node.comparators)
                wrong = any(map(is_name, sides)) and not any(map(is_written, sides))
            case ast.Match():
                wrong = is_name(node.subject)
            case ast.Subscript():
                wrong = is_name(node.slice)
            case ast.Call(func=ast.Attribute(attr="get" | "startswith"), args=[key, *_]):
                wrong = is_name(key) or is_name(node.func.value)  # type: ignore[attr-defined]
            case ast.Call(func=ast.Name(id="getattr" | "hasattr" | "vars"), args=[of, *_]):
                wrong = is_op(of)
            case ast.Call(func=ast.Name(id="isinstance"), args=[of, kinds]):
                named = {n.id for n in ast.walk(kinds) if isinstance(n, ast.Name)} & CLASSES
                wrong = is_op(of) and bool(named - BY_TYPE.get(path, set()))
            case ast.Dict() | ast.Tuple() | ast.List() | ast.Set() if path not in OTHER_NAMES:
                wrong = len(texts(node)) > 1 and set(texts(node)) <= set(registry())
            case _:
                pass
        if wrong:
            yield node.lineno  # type: ignore[attr-defined]


def outside() -> list[Path]:
    """All but the layers, and the importers, which write calls of layers by their names."""
    paths = ROOT.rglob("*.py")
    return [path for path in paths if path.relative_to(ROOT).parts[0] not in ("ops", "importers")]


def test_nothing_outside_tells_layers_apart() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in outside()
        for line in told_apart(path.read_text(), str(path.relative_to(ROOT)))
    ]
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        'node.op.name == "conv"',
        'op.name in ("conv", kind)',
        'op_of(node).name != "add"',
        "cast(Op, node.op).name in MOVES",
        "TABLE[node.op.name]",
        'TABLE.get(op.name, "")',
        'node.op.name.startswith("adaptive")',
        'MOVES = {"flatten", "reshape"}',
        'WORDS = {"maxpool": "max", "avgpool": "mean"}',
        'getattr(node.op, "stride", 1)',
        'getattr(op_of(node), "stride", 1)',
        'hasattr(op, "kernel")',
        "vars(node.op)",
        "isinstance(node.op, Conv | ConvTranspose)",
        "isinstance(op, (Flatten, Reshape))",
        'match op.name:\n    case "conv":\n        pass',
    ],
)
def test_the_test_sees_them(planted: str) -> None:
    assert list(told_apart(planted)) == [1]


def test_it_leaves_alone_what_only_tells_the_name() -> None:
    told = (
        'f"`{node.op.name}` takes"\nnode.op.name or "weight"\nisinstance(part, Node)\n("a", "conv")'
    )
    assert list(told_apart(told)) == []


# --- kinds of work -------------------------------------------------------------------------

KINDS = {
    Work.PASSES: "identity",
    Work.DROPS: "dropout channel_dropout drop_path random_flip",
    Work.MOVES: "flatten reshape permute concat channel_shuffle pixel_shuffle pixel_unshuffle",
    Work.SELECTS: "split slice pad pad_to crop center_crop crop_or_pad crops unfold max_unpool",
}


def test_every_layer_does_one_kind_of_work() -> None:
    said = {name: work for work, names in KINDS.items() for name in names.split()}
    assert {
        name: op.work for name, op in registry().items() if op.work is not Work.COMPUTES
    } == said
    assert {op.family for op in registry().values()} == set(FAMILIES)
