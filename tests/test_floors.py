"""A module imports from its own package or from a smaller floor, and torch only in backends."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "netdsl"
FLOORS = {
    "diagnostics": 0, "syntax": 1, "ir": 1, "ops": 2, "elaborate": 3, "analyses": 4, "passes": 4, "lints": 5,
    "backends": 5, "importers": 5, "driver": 6, "network": 6, "files": 4, "mend": 6, "reference": 6, "cli": 7, "report": 7, "exporting": 7, "drawing": 7, "options": 7, "shell": 7, "formatting": 6, "numerals": 7,
    "lsp": 7,
}  # fmt: skip
TOP = (
    ("driver", "network", "files", "formatting", "mend", "reference"),
    ("cli", "drawing", "exporting", "numerals", "options", "report", "shell", "__main__"),
)
ROOMS = {
    "blocks": (),
    "diff": ("blocks",),
    "neurons": ("blocks", "volumes"),
    "page": ("blocks",),
    "volumes": ("blocks",),
}
"""Rooms of the diagrams, and those that each may use; what lies beside them uses none."""
HALL = ("draw.py",)
LONGEST_FUNCTION = 55
ONLY_IN = {
    "torch": "backends",
    "onnx": "backends",
    "islpy": "ir/solver.py",
    "lark": "syntax",
    "keyword": "backends/torch",
}


def imports(text: str) -> list[str]:
    """All modules a text imports, wherever the import stands."""
    found: list[str] = []
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]  # never run
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.append(node.module or "")
    return found


def offences(path: str, text: str) -> list[str]:
    """What the imports of a file (path below netdsl) do wrong."""
    found: list[str] = []
    own = path.split("/")[0].removesuffix(".py")
    for name in imports(text):
        top, _, rest = name.partition(".")
        home = ONLY_IN.get(top)
        if home is not None and not path.startswith(home):
            found.append(f"{path} imports {name}")
        if top != "netdsl" or not rest or own in ("__init__", "__main__"):
            continue
        other = rest.split(".")[0]
        same = other == own or any(own in group and other in group for group in TOP)
        if not same and FLOORS[other] >= FLOORS[own]:
            found.append(f"{path} (floor {FLOORS[own]}) imports {name} (floor {FLOORS[other]})")
    return found


FILES = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES)
def test_imports_go_down(path: str) -> None:
    assert offences(path, (ROOT / path).read_text()) == []


def used_rooms(path: str, text: str) -> set[str]:
    """The rooms of the diagrams that a file uses, its own left out."""
    _, _, *own = path.split("/")
    inner = [
        name.split(".")[3:] for name in imports(text) if name.startswith("netdsl.backends.diagram.")
    ]
    return {name[0] for name in inner if name and name[0] in ROOMS and name[0] != own[0]}


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith("backends/diagram/")])
def test_rooms_of_the_diagrams_use_few_others(path: str) -> None:
    room = path.split("/")[2]
    if room not in HALL:
        assert used_rooms(path, (ROOT / path).read_text()) <= set(ROOMS.get(room, ()))


def test_a_planted_door_between_rooms_is_found() -> None:
    text = "from netdsl.backends.diagram.neurons.columns import FEW"
    assert used_rooms("backends/diagram/blocks/paint.py", text) == {"neurons"}
    assert used_rooms("backends/diagram/svg.py", text) == {"neurons"}
    assert used_rooms("backends/diagram/neurons/picture.py", text) == set()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ir/dim.py", "from netdsl.ops.base import Op"),
        ("ir/dim.py", "def f():\n    import netdsl.syntax.ast"),
        ("ops/conv.py", "import torch"),
        ("driver.py", "from netdsl.cli import main"),
        ("ir/graph.py", "import islpy"),
        ("elaborate/bind.py", "from keyword import iskeyword"),
    ],
)
def test_a_planted_upward_import_is_found(path: str, text: str) -> None:
    assert offences(path, text)


@pytest.mark.parametrize("path", FILES)
def test_files_are_short_and_say_what_they_are_for(path: str) -> None:
    text = (ROOT / path).read_text()
    assert text.count("\n") < 500
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "a module docstring is missing"


@pytest.mark.parametrize("path", FILES)
def test_functions_are_short(path: str) -> None:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < LONGEST_FUNCTION, node.name
