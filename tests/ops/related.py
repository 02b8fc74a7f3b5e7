"""Random types of inputs that belong together, for layers that take several; some do not fit."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from netdsl.ir.tensor import Tensor
from netdsl.ops.base import Op

Shape = tuple[int, ...]
COUNTS = [1, 1, 2, 3, 4, 5]
WRONG = 0.12
"""The share of axes, ranks and element types that do not fit."""


def flowing_types(op: Op, random: Random) -> tuple[Tensor, ...]:
    """The types of what flows into a layer of `RELATED`."""
    shapes = RELATED[op.name](op, random)
    dtypes = ["int64" if random.random() < 0.03 else "float32" for _ in shapes]
    return tuple(map(Tensor, shapes, dtypes))


def named_type(op: Any, name: str, flowing: tuple[Tensor, ...], random: Random) -> Tensor:
    """The type of a value that is given by name."""
    if name == "mask":
        dtype = random.choice(["bool", "bool", "bool", "float32", "float32", "int64"])
        return Tensor(mask_shape(op, flowing, random), dtype)
    if name == "places":
        other = tuple(random.choice([1, 2, 3, 4]) for _ in flowing[0].shape)
        shape = flowing[0].shape if random.random() < 0.9 else other
        return Tensor(shape, "int64" if random.random() < 0.95 else "float32")
    state = op.layers * (1 + op.bidirectional), op.hidden
    rank = random.choice([2] * 10 + [1, 3])
    return Tensor(tuple(spoiled((*state, 1)[:rank], random)), "float32")


def spoiled(shape: Shape, random: Random) -> list[int]:
    """The same, with an axis here and there that is another."""
    return [n + 1 if random.random() < WRONG / 2 else n for n in shape]


def front_of(random: Random) -> Shape:
    """Axes in front of the last two."""
    return tuple(random.choice([1, 2, 3]) for _ in range(random.choice([0, 0, 1, 1, 2])))


def spread(front: Shape, random: Random) -> list[int]:
    """The same, some of them 1, which serves all; now and then wrong ones."""
    return [1 if random.random() < 0.2 else n for n in spoiled(front, random)]


def matmul(op: Op, random: Random) -> list[Shape]:
    front, (rows, inner, columns) = front_of(random), random.choices(COUNTS, k=3)
    shapes = [(rows, inner), (inner, columns)]
    shapes = [(*spread(front, random), *spoiled(shape, random)) for shape in shapes]
    if random.random() < WRONG:
        shapes[random.randrange(2)] = random.choice([(3,), (2, 3), (1, 2, 3, 4)])
    return shapes


def widths(op: Any, random: Random) -> tuple[int, int]:
    """Features of queries and values that the heads most often divide."""
    if random.random() < WRONG:
        return random.choice([3, 5, 6]), random.choice([3, 5, 6])
    heads = max(op.heads, 1)
    return heads * random.choice([1, 2, 3]), heads * random.choice([1, 2])


def attend(op: Op, random: Random) -> list[Shape]:
    front, (queries, keys) = front_of(random), random.choices(COUNTS, k=2)
    width, depth = widths(op, random)
    shapes = [(queries, width), (keys, width), (keys, depth)]
    shapes = [(*spread(front, random), *spoiled(shape, random)) for shape in shapes]
    if random.random() < WRONG / 2:
        shapes[random.randrange(3)] = random.choice([(6,), (2, 6)])
    return shapes


def attention(op: Op, random: Random) -> list[Shape]:
    """One to three values; keys and values of other widths, too."""
    (queries, keys), (width, depth) = random.choices(COUNTS, k=2), widths(op, random)
    others = random.choice([width, width, depth]), random.choice([width, width, depth])
    shapes = [(queries, width), (keys, others[0]), (keys, others[1])][: random.randint(1, 3)]
    if len(shapes) == 3:
        shapes[2] = tuple(spoiled(shapes[2], random))
    if random.random() < WRONG:
        shapes[random.randrange(len(shapes))] = random.choice([(6,), (2, 3, 6)])
    return shapes


def steps(op: Op, random: Random) -> list[Shape]:
    if random.random() < WRONG:
        return [random.choice([(4,), (4, 2, 3)])]
    return [(random.choice(COUNTS), random.choice([1, 2, 3]))]


def mask_shape(op: Any, flowing: tuple[Tensor, ...], random: Random) -> Shape:
    """Some last axes of the scores, each perhaps 1."""
    q, k = flowing[0].shape, flowing[min(1, len(flowing) - 1)].shape
    heads = max(op.heads, 1)
    if len(q) < 2 or len(k) < 2:
        return (2,)
    front = tuple(max(pair) for pair in zip(q[:-2], k[:-2], strict=False))
    scores = (*front, heads, q[-2], k[-2])
    part = scores[random.randint(0, len(scores)) :]
    if random.random() < WRONG / 2:
        part = (2, *scores)
    return tuple(spread(part, random))


RELATED: dict[str, Callable[[Op, Random], list[Shape]]] = {
    "matmul": matmul,
    "attend": attend,
    "attention": attention,
    "lstm": steps,
    "gru": steps,
    "rnn": steps,
}
"""Shapes of what flows in, by layer."""
