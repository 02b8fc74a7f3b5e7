"""How many layers a body makes at the least, so that a `repeat` is refused before it is built."""

from __future__ import annotations

from netdsl.syntax import ast


def least_layers(body: ast.Body) -> int:
    """Calls of layers that one run of the body makes at the least, nested repeats multiplied."""
    chains = [
        s.chain for s in body.statements if isinstance(s, ast.ChainStatement | ast.AssignStatement)
    ]
    return sum(_least(item) for chain in chains for item in chain.items)


def _least(item: object) -> int:
    match item:
        case ast.LayerStage():
            bare = item.arguments is None and item.branches is None and item.label is None
            inside = least_layers(item.branches) if item.branches else 0
            return inside + (0 if bare else 1)
        case ast.Group(body=body):
            return least_layers(body)
        case ast.Repeat(count=ast.Number(value=int(count)), body=body):
            return count * least_layers(body)
        case _:
            return 0
