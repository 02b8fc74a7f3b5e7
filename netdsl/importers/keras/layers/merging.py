"""Several values as one, and arithmetic with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from netdsl.importers.keras.net import Held, Reader, Use
from netdsl.importers.keras.structure import Tensor
from netdsl.importers.program import Value


def alike(
    use: Use, held: Sequence[Held], *, widen: bool = True
) -> tuple[list[Value], tuple[int, ...]]:
    """Values with their axes in one order: that of the first with most axes.

    A value of fewer axes has more of size 1 behind the batch, as Keras's layers do it.
    """
    rank = max(len(one.order) for one in held)
    like = next(one for one in held if len(one.order) == rank)
    values: list[Value] = []
    for one in held:
        missing = rank - len(one.order)
        if missing and not widen:
            use.settings.fail("values of unlike numbers of axes meet")
        if missing:
            sizes = [1] * missing + use.net.sizes(one)
            if not all(isinstance(size, int) for size in sizes):
                use.settings.fail("values of unlike numbers of axes meet at open sizes")
            whole = [size for size in sizes if isinstance(size, int)]
            shape = [whole[axis] for axis in like.order]
            if len(one.order) > 1:
                use.settings.fail("values of unlike numbers of axes meet")
            values.append(use.net.call("reshape", one.value, shape=list(shape)))
        else:
            values.append(use.net.ordered(one, like.order))
    return values, like.order


def merged(use: Use, layer: str) -> Held:
    if len(use.inputs) < 2:
        use.settings.fail("it takes two values at least")
    values, order = alike(use, use.inputs)
    return Held(use.net.call(layer, *values), order)


def subtracted(use: Use) -> Held:
    if len(use.inputs) != 2:
        use.settings.fail(f"it takes two values, not {len(use.inputs)}")
    return merged(use, "sub")


def concatenated(use: Use) -> Held:
    if len(use.inputs) < 2:
        use.settings.fail("it takes two values at least")
    values, order = alike(use, use.inputs, widen=False)
    axis = use.settings.axis("axis", len(order), -1)
    return Held(use.net.call("concat", *values, axis=order.index(axis) or "channels"), order)


def scaled_sum(use: Use) -> Held:
    """The first value and a share of the second, of Inception-ResNet in `keras.applications`."""
    scale = use.settings.real("scale")
    if len(use.inputs) != 2:
        use.settings.fail(f"it takes two values, not {len(use.inputs)}")
    (first, second), order = alike(use, use.inputs)
    share = use.net.call("mul", second, number=scale)
    return Held(use.net.call("add", first, share), order)


# --- operations between layers --------------------------------------------------------------


def operation(use: Use, layer: str) -> Held:
    """Arithmetic of two, one of which may be a number."""
    use.settings.taken |= set(use.layer.config)
    if len(use.args) != 2 or use.kwargs:
        use.settings.fail("it takes two values, and nothing else")
    first, second = use.args
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        values, order = alike(use, use.inputs, widen=False)
        return Held(use.net.call(layer, *values), order)
    number = second if isinstance(first, Tensor) else first
    if type(number) not in (int, float) or not abs(number) < 1e30:
        use.settings.fail("a plain number stands beside a value")
    x = use.x
    if isinstance(first, Tensor) or layer in ("add", "mul"):
        return Held(use.net.call(layer, x.value, number=number), x.order)
    if layer == "sub":
        turned = use.net.call("mul", x.value, number=-1)
        return Held(use.net.call("add", turned, number=number), x.order)
    turned = use.net.call("reciprocal", x.value)
    return Held(use.net.call("mul", turned, number=number), x.order)


LAYERS: dict[str, Reader] = {
    "Add": partial(merged, layer="add"),
    "Multiply": partial(merged, layer="mul"),
    "Average": partial(merged, layer="mean"),
    "Maximum": partial(merged, layer="max"),
    "Minimum": partial(merged, layer="min"),
    "Subtract": subtracted,
    "Concatenate": concatenated,
    "CustomScaleLayer": scaled_sum,
}
OPERATIONS: dict[str, Reader] = {
    "Add": partial(operation, layer="add"),
    "Subtract": partial(operation, layer="sub"),
    "Multiply": partial(operation, layer="mul"),
    "Divide": partial(operation, layer="div"),
    "TrueDivide": partial(operation, layer="div"),
}
"""Those that stand between layers: `x + 3`."""
