"""How a value came to have its shape, stage by stage, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.ir.graph import Kind, Node, Scope, Value

SHOWN = 5


def history(value: Value, scope: Scope | None = None) -> str:
    """`image [3, H, W] -> conv1 /2 [64, ...] -> maxpool /2 [64, ...]`.

    Stages that keep the shape are left out, and so are all but the last few. A block counts as
    one stage, unless `scope` lies in it. Where a stage has several inputs the first is followed.
    """
    around = set(scope.around()) if scope is not None else set[Scope]()
    steps: list[str] = []
    before: Value | None = value
    while before is not None and before.producer is not None:
        after, (name, before) = before, _step(before.producer, around)
        if before is None or before.type != after.type:
            steps.append(f"{name} {after.type}")
    if before is not None:
        steps.append(f"{before.name or 'in'} {before.type}")
    shown = [*reversed(steps[:SHOWN])]
    if len(steps) > SHOWN:
        shown = [steps[-1], "...", *reversed(steps[: SHOWN - 1])]
    return " -> ".join(shown)


def histories(values: Sequence[Value], scope: Scope | None = None) -> list[str]:
    """A note for each value that stages made, numbered where there are several."""
    several = len(values) > 1
    return [
        f"input {index}: {history(value, scope)}"
        if several
        else f"it comes from {history(value, scope)}"
        for index, value in enumerate(values)
        if several or value.producer is not None
    ]


def _step(node: Node, around: set[Scope]) -> tuple[str, Value | None]:
    """What made a value, and the value it made it from."""
    block = None
    for scope in node.scope.around():
        if scope in around:
            break
        if scope.kind is Kind.BLOCK and scope.inputs:
            block = scope
    if block is not None:
        return block.definition, block.inputs[0]
    name = next((v.name for v in node.outputs if v.name), "") or node.op.name or node.op.keyword
    stride = node.op.shown_stride()
    if stride != 1:
        shown = "x".join(map(str, stride)) if isinstance(stride, tuple) else stride  # type: ignore[arg-type]
        name = f"{name} /{shown}"
    return name, node.inputs[0] if node.inputs else None
