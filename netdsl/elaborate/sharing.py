"""Several calls of one layer: the later call takes over the layers of the first."""

from __future__ import annotations

from netdsl.ir.graph import Child, Node, Scope


def share(first: Child, again: Child) -> bool:
    """Give `again` the layers of `first`; False (and nothing done) if the two are not alike."""
    pairs: list[tuple[Node, Node]] = []
    scopes: list[tuple[Scope, Scope]] = []
    stack = [(first, again)]
    while stack:
        one, other = stack.pop()
        if isinstance(one, Node) and isinstance(other, Node):
            if one.layer.op != other.layer.op or one.layer.weights != other.layer.weights:
                return False
            pairs.append((one, other))
        elif isinstance(one, Scope) and isinstance(other, Scope):
            if len(one.children) != len(other.children):
                return False
            scopes.append((one, other))
            stack.extend(zip(one.children, other.children, strict=True))
        else:
            return False
    for node, later in pairs:
        later.layer = node.layer
        node.layer.calls.append(later)
    for scope, later_scope in scopes:
        later_scope.shares = scope
    return True
