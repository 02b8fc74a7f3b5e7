"""What stands directly in a class: layers and labelled scopes, and which of them are modules."""

from __future__ import annotations

from typing import TypeAlias

from netdsl.ir.graph import Layer, Node, Scope
from netdsl.ops.base import op_of
from netdsl.ops.recipe import Setting, TorchModule, TorchRecipe, TorchWeight
from netdsl.ops.tables import types_of

Member: TypeAlias = Node | Scope
ModuleKey: TypeAlias = Layer | Scope
"""What stands for the module of a member: of calls that share one, the same."""


def recipe_of(node: Node) -> TorchRecipe:
    """How a node is written in PyTorch."""
    return op_of(node).torch(*types_of(node))


def is_attribute(member: Member) -> bool:
    """Whether `__init__` makes something for it; else `forward` has all of it."""
    if isinstance(member, Scope):
        return True
    recipe = recipe_of(member)
    if not isinstance(recipe, TorchModule | TorchWeight):
        return False
    return not (is_stateless(recipe) and _is_unlabelled(member))


def weight_of(member: Member) -> TorchWeight | None:
    """The table that it is; None for modules."""
    recipe = recipe_of(member) if isinstance(member, Node) else None
    return recipe if isinstance(recipe, TorchWeight) else None


def is_stateless(recipe: object) -> bool:
    """Whether a module is better written as a function: `F.relu(x)`. Settings make it a module."""
    if not isinstance(recipe, TorchModule) or recipe.call is None:
        return False
    return not recipe.args and all(
        isinstance(v, Setting) and getattr(v.value, "value", v.value) == v.default
        for _, v in recipe.kwargs
    )


def _is_unlabelled(node: Node) -> bool:
    """Whether the label is the counter's, not the writer's."""
    base = node.op.name
    return node.label.startswith(base) and node.label[len(base) :].isdigit()
