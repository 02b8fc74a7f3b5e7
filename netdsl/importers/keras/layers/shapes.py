"""Dense layers, embeddings, and other shapes for the same numbers."""

from __future__ import annotations

from typing import Any, cast

from netdsl.importers.keras.layers.activations import behind
from netdsl.importers.keras.net import Held, Reader, Use
from netdsl.importers.keras.settings import short
from netdsl.importers.program import Setting


def dense(use: Use) -> Held:
    """On the last axis; on maps it is a convolution of one cell."""
    settings, net = use.settings, use.net
    settings.only(lora_rank=None)
    units, bias = settings.whole("units"), settings.flag("use_bias", True)
    if bias:
        net.keep((*use.path, "bias"), lambda parts: parts[1])
    rank = len(use.x.order)
    if 3 <= rank <= 4 and not net.is_first:
        net.keep(
            (*use.path, "weight"),
            lambda parts: parts[0].T.reshape(*parts[0].T.shape, *[1] * (rank - 1)),
        )
        own: dict[str, Any] = {"channels": units, "kernel": 1, "bias": bias}
        y = net.a_map(net.call("conv", net.as_map(use.x), path=use.path, **own))
    else:
        net.keep((*use.path, "weight"), lambda parts: parts[0].T)
        value = net.as_is(use.x)
        y = net.plain(net.call("linear", value, path=use.path, features=units, bias=bias))
    return behind(use, y)


def embedding(use: Use) -> Held:
    settings = use.settings
    count, features = settings.whole("input_dim"), settings.whole("output_dim")
    settings.only(mask_zero=False, lora_rank=None)
    settings.taken |= {"input_length"}
    use.net.keep((*use.path, "weight"), lambda parts: parts[0])
    value = use.net.as_is(use.x)
    own = {"count": count, "features": features}
    return use.net.plain(use.net.call("embedding", value, path=use.path, **own))


def flattened(use: Use) -> Held:
    """Channels last, where Keras's numbers lie so; it turns maps with channels in front before."""
    form = use.settings.word("data_format", "channels_last", "channels_last", "channels_first")
    rank = len(use.x.order)
    if rank == 1:
        return use.x
    order = (*range(1, rank), 0) if form == "channels_first" else tuple(range(rank))
    sizes = use.net.sizes(use.x)
    is_row = [sizes[axis] for axis in order][:-1] == [1] * (rank - 1)
    value = use.x.value if is_row else use.net.ordered(use.x, order)
    return use.net.plain(use.net.call("flatten", value))


def reshaped(use: Use) -> Held:
    """In Keras's order of the axes; a row of channels becomes a map of one cell at once."""
    target = use.settings.get("target_shape")
    sizes = cast("list[Any]", target) if isinstance(target, list) else []
    if not sizes or not all(type(one) is int and (one == -1 or one > 0) for one in sizes):
        use.settings.fail(f"`target_shape` has whole numbers, not `{short(target)}`")
    if sizes.count(-1) > 1:
        use.settings.fail("one size at most is -1")
    if len(sizes) >= 3 and set(sizes[:-1]) == {1} and len(use.x.order) == 1:
        order = use.net.channels_first(len(sizes))
        shape: list[Setting] = [sizes[axis] for axis in order]
        return Held(use.net.call("reshape", use.x.value, shape=shape), order)
    own: list[Setting] = list(sizes)
    return use.net.plain(use.net.call("reshape", use.net.as_is(use.x), shape=own))


def permuted(use: Use) -> Held:
    """The same value: only what its axes are called changes."""
    dims = use.settings.get("dims")
    rank = len(use.x.order)
    wanted = cast("list[Any]", dims) if isinstance(dims, list) else []
    if sorted(map(str, wanted)) != sorted(str(one) for one in range(1, rank + 1)):
        use.settings.fail(f"`dims` has each of 1 to {rank} once, not `{short(dims)}`")
    return Held(use.x.value, tuple(wanted.index(axis + 1) for axis in use.x.order))


LAYERS: dict[str, Reader] = {
    "Dense": dense,
    "Embedding": embedding,
    "Flatten": flattened,
    "Reshape": reshaped,
    "Permute": permuted,
}
