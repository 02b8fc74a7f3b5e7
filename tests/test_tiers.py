"""A module imports from its own package or from a lower tier, in no circle; torch in backends."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "netdsl"
TIERS = {
    "version": 0, "diagnostics": 0, "syntax": 1, "ir": 1, "ops": 2, "elaborate": 3, "analyses": 4, "passes": 4, "files": 4, "images": 4, "lints": 5,
    "backends": 5, "importers": 5, "drafting": 6, "driver": 6, "explaining": 6, "graph_builder": 6, "importing": 6, "network": 6, "fixing": 6, "formatting": 6, "preprocessing": 6, "reference": 6, "running": 6, "see": 6, "training": 6, "cli": 7,
    "lsp": 7,
}  # fmt: skip
TOP = (
    "drafting",
    "driver",
    "explaining",
    "graph_builder",
    "importing",
    "network",
    "fixing",
    "formatting",
    "preprocessing",
    "reference",
    "running",
)
"""Files of one tier that use each other."""
VIEWS = {
    "blocks": (),
    "diff": ("blocks",),
    "figure": ("blocks", "layout"),
    "layout": ("blocks",),
    "neurons": (),
    "page": ("blocks",),
    "volumes": ("blocks",),
}
"""The packages of the diagram backend, and those that each may use; what lies beside them uses none."""
ABOVE_VIEWS = ("draw.py",)
LONGEST_FUNCTION = 55
ONLY_IN = {
    "torch": ("backends", "importers/torch", "see", "training"),
    "torchvision": ("training",),
    "lightning": ("training",),
    "sklearn": ("training",),
    "onnx": ("backends", "importers/onnx"),
    "onnxruntime": ("backends", "importers/onnx"),
    "onnx_ir": ("importers/onnx",),
    "yaml": ("importers/ultralytics", "cli/build"),
    "islpy": ("ir/solver.py",),
    "lark": ("syntax",),
    "keyword": ("backends/torch",),
    "PIL": ("images.py", "backends/serving/infer.py", "see/sheet.py"),
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
        same = other == own or (own in TOP and other in TOP)
        if not same and TIERS[other] >= TIERS[own]:
            found.append(f"{path} (tier {TIERS[own]}) imports {name} (tier {TIERS[other]})")
    return found


FILES = {p.relative_to(ROOT).as_posix(): p.read_text() for p in sorted(ROOT.rglob("*.py"))}


def test_imports_go_down() -> None:
    assert len(FILES) > 200
    assert [offence for path, text in FILES.items() for offence in offences(path, text)] == []


def module_name(path: str) -> str:
    """`ir/dim.py` is `netdsl.ir.dim`, and `ir/__init__.py` is `netdsl.ir`."""
    parts = ("netdsl", *Path(path).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def imported_modules(text: str, modules: Collection[str]) -> set[str]:
    """Those of `modules` that a text imports: in functions and for type checking alone, too."""
    names: set[str] = set()
    for module, parts in import_lines(text):
        submodules = {f"{module}.{part}" for part in parts}
        is_all = bool(parts) and submodules <= set(modules)
        names |= submodules if is_all else submodules | {module}
    return names & set(modules)


@cache
def import_lines(text: str) -> list[tuple[str, list[str]]]:
    """The modules that a text imports, each with the names that it takes from there."""
    nodes = list(ast.walk(ast.parse(text)))
    whole = [(alias.name, []) for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    parts = [n for n in nodes if isinstance(n, ast.ImportFrom)]
    return [*whole, *((n.module or "", [alias.name for alias in n.names]) for n in parts)]


def circles(files: Mapping[str, str]) -> list[list[str]]:
    """The modules that import each other, directly or through others (Tarjan's components)."""
    by_name = {module_name(path): text for path, text in files.items()}
    uses = {name: imported_modules(text, by_name) for name, text in by_name.items()}
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_modules: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        open_modules.append(name)
        for other in sorted(uses[name]):
            if other not in order:
                visit(other)
            if other in open_modules:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == order[name]:
            start = open_modules.index(name)
            if len(open_modules) > start + 1 or name in uses[name]:
                found.append(sorted(open_modules[start:]))
            del open_modules[start:]

    for name in sorted(uses):
        if name not in order:
            visit(name)
    return found


def test_imports_form_no_circle() -> None:
    assert circles(FILES) == []


@pytest.mark.parametrize(
    "text",
    [
        "from netdsl.ir.dim import Dim",
        "from netdsl.ir import dim",
        "import netdsl.ir.dim",
        "if TYPE_CHECKING:\n    from netdsl.ir.dim import Dim",
        "def f():\n    from netdsl.ir.dim import Dim",
    ],
)
def test_a_planted_circle_is_found(text: str) -> None:
    assert "netdsl.ir.polynomial" in imported_modules(FILES["ir/dim.py"], {"netdsl.ir.polynomial"})
    planted = {**FILES, "ir/polynomial.py": f"{FILES['ir/polynomial.py']}\n\n{text}\n"}
    assert circles(planted) == [["netdsl.ir.dim", "netdsl.ir.polynomial"]]


def test_a_planted_circle_of_three_files_is_found() -> None:
    imports_of = {"a": "b", "b": "c", "c": "a", "d": "a", "e": "d"}
    files = {f"{name}.py": f"import netdsl.{other}" for name, other in imports_of.items()}
    assert circles(files) == [["netdsl.a", "netdsl.b", "netdsl.c"]]
    assert circles({**files, "c.py": ""}) == []


def used_views(path: str, text: str) -> set[str]:
    """The views that a file of the diagram backend uses, its own left out."""
    _, _, *own = path.split("/")
    inner = [
        name.split(".")[3:] for name in imports(text) if name.startswith("netdsl.backends.diagram.")
    ]
    return {name[0] for name in inner if name and name[0] in VIEWS and name[0] != own[0]}


def test_views_use_few_others() -> None:
    drawn = [path for path in FILES if path.startswith("backends/diagram/")]
    assert len(drawn) > 50
    for path in drawn:
        view = path.split("/")[2]
        if view not in ABOVE_VIEWS:
            assert used_views(path, FILES[path]) <= set(VIEWS.get(view, ())), path


def test_a_planted_import_between_views_is_found() -> None:
    text = "from netdsl.backends.diagram.neurons.columns import FEW"
    assert used_views("backends/diagram/blocks/paint.py", text) == {"neurons"}
    assert used_views("backends/diagram/svg.py", text) == {"neurons"}
    assert used_views("backends/diagram/neurons/picture.py", text) == set()


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


def test_files_are_short_and_say_what_they_are_for() -> None:
    assert [path for path, text in FILES.items() if text.count("\n") >= 500] == []
    nameless = [path for path, text in FILES.items() if text.strip() and not documented(text)]
    assert nameless == [], "a module docstring is missing"


def documented(text: str) -> bool:
    return bool(ast.get_docstring(ast.parse(text)))


def test_functions_are_short() -> None:
    long = [f"{path}: {name}" for path, text in FILES.items() for name in long_functions(text)]
    assert long == []


def long_functions(text: str) -> list[str]:
    """Functions that take `LONGEST_FUNCTION` lines or more below their first."""
    return [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
