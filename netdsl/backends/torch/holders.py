"""Where labels with dots lead: into the module of another label, or into one made to hold them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from netdsl.backends.torch.layout import Bracket, Expr, Joined, call, literal
from netdsl.backends.torch.members import Member, is_attribute, weight_of
from netdsl.backends.torch.python_names import is_plain
from netdsl.backends.torch.reserved import why_taken
from netdsl.ir.graph import Graph, Node

DICT_ATTRIBUTES = frozenset(["clear", "items", "keys", "pop", "update", "values"])
"""What `nn.ModuleDict` has besides what every module has, so that no part of it is called so."""


class Holders:
    """The modules of a network by their paths, and those that get parts from outside of them.

    `containers` are the paths at which a module is made that only holds, each with the path of
    the scope that makes it: of two that need one, the inner. `extended` are the paths of scopes
    in whose modules an outer scope puts something: after `b: { ... }`, by `b.f: conv(8, 3)`.
    """

    def __init__(self, graph: Graph) -> None:
        self.containers: dict[str, str] = {}
        self.extended: set[str] = set()
        self._objects: set[str] = set()
        scopes = [s for s in graph.root.scopes() if s.label and s.shares is None]
        modules = {scope.path for scope in scopes}
        self._modules = modules
        self._paths = modules | {node.path for node in graph.nodes()}
        outer_first = sorted([graph.root, *scopes], key=lambda scope: len(scope.path))
        dotted = [(s.path, m) for s in outer_first for m in s.members() if _is_dotted(m)]
        for maker, member in dotted:
            for holder, below in _steps(maker, member.path)[1:]:
                if holder not in modules:
                    self.containers[holder] = maker
                    self._note_object(holder, below, member)
        for maker, member in dotted:
            for holder, below in _steps(maker, member.path)[1:]:
                is_new = below == member.path or self.containers.get(below) == maker
                if holder in modules and is_new:
                    self.extended.add(holder)

    def _note_object(self, holder: str, below: str, member: Member) -> None:
        """A container of weights, or of parts that `nn.ModuleDict` has no room for."""
        in_the_way = below.rpartition(".")[2] in DICT_ATTRIBUTES
        if in_the_way or (below == member.path and weight_of(member)):
            self._objects.add(holder)

    def place(self, node: Node) -> str:
        """The path at which a layer is made: another one where its own is that of what holds it.

        That is a container, or its own braces: `both: attend(2) { ... }`.
        """
        if node.path in self._modules:
            base = f"{node.path}.{node.op.name}"
        elif node.path in self.containers:
            base = f"{node.path}_"
        else:
            return node.path
        path, number = base, 1
        while path in self._paths or why_taken(path.rpartition(".")[2]):
            number += 1
            path = f"{base}{number}" if base[-1] != "_" else f"{node.path}_{number}"
        return path

    def needed(self, maker: str, path: str) -> Iterator[tuple[str, Expr]]:
        """The containers on the way to a path that the scope `maker` makes, outer ones first."""
        for holder, _ in _steps(maker, path)[1:]:
            if self.containers.get(holder) == maker:
                yield holder, call("nn.Module" if holder in self._objects else "nn.ModuleDict")

    def reach(self, maker: str, path: str) -> Expr:
        """How a method of a scope reaches what lies at a path: `self.conv1`, `self.fuse["0"]`."""
        expr: Expr = "self"
        for holder, below in _steps(maker, path):
            name = below.rpartition(".")[2]
            if holder in self.containers and holder not in self._objects:
                expr = Joined((expr, f"[{literal(name)}]"))
            elif is_plain(name):
                expr = f"{expr}.{name}" if isinstance(expr, str) else Joined((expr, f".{name}"))
            elif name.isidentifier() and not name.isascii():  # `getattr` looks needless for it
                expr = Bracket(Joined((expr, ".get_submodule")), (literal(name),))
            else:
                expr = call("getattr", expr, literal(name))
        return expr


def _is_dotted(member: Member) -> bool:
    return "." in member.label and is_attribute(member)


def _steps(maker: str, path: str) -> list[tuple[str, str]]:
    """From a scope to a path below it: what holds, and what lies directly in it."""
    parts = path[len(maker) :].lstrip(".").split(".")
    paths = [maker]
    for part in parts:
        paths.append(f"{paths[-1]}.{part}" if paths[-1] else part)
    return list(pairwise(paths))
