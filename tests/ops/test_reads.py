"""What every layer reads, against PyTorch: a number matters if and only if it is said to be read."""

from __future__ import annotations

from itertools import product
from math import prod
from random import Random

import pytest

from netdsl.ops import registry
from netdsl.ops.base import Rules
from netdsl.ops.cells import count, fixed, is_in, one, size_of, union, whole
from netdsl.ops.recipe import TorchModule
from netdsl.ops.refusal import Refusal
from tests.ops.settings import OF_VALUES, random_case

torch = pytest.importorskip("torch")

from tests.ops.realise import make_module, realise  # noqa: E402

CASES = 25
WHOLE = ("embedding", "equal")
"""Layers that are tried with the numbers 0 and 1."""
PLACES = 5
CELLS = 24
TOLD = 1e-9
"""A smaller change than this is rounding, or the e**-100 that a mask lets through."""


def legal_cases(name, cases):
    """Random settings that the shape rule takes, of maps that are not too large."""
    random, found = Random(f"reads {name}"), 0
    for _ in range(20 * cases):
        if found == cases:
            return
        op, inputs = random_case(registry()[name], random)
        try:
            outputs = op.infer(inputs, Rules())
            op.weights(inputs)
        except Refusal:
            continue
        if name == "embedding" and op.count < 2:
            continue  # one vector: whatever is looked up, it is that
        if max(prod(fixed(t.shape)) for t in outputs) <= 20_000:
            found += 1
            yield op, inputs, outputs, random


def positions(shape, random, most):
    """Some indices of a shape, or all."""
    every = prod(shape)
    if every <= most:
        return list(product(*map(range, shape)))
    return [tuple(random.randrange(n) for n in shape) for _ in range(most)]


def some_of(pieces, random, most):
    """Some indices that lie in products."""
    if not pieces:
        return []
    chosen = (random.choice(pieces) for _ in range(most))
    return [tuple(random.choice(sorted(axis)) for axis in piece) for piece in chosen]


def live(op, inputs, outputs):
    """The layer in double precision, its weights small and above 0."""
    recipe = op.torch(inputs, outputs)
    if not isinstance(recipe, TorchModule):
        return realise(recipe)
    module = make_module(recipe).double()
    for parameter in module.parameters():
        torch.nn.init.uniform_(parameter.data, 0.1, 0.3)
    return realise(recipe, module)


def numbers_of(op):
    """The numbers that an op computes with: with some, a value has an effect at one of them only."""
    number = getattr(op, "number", None)
    return [] if number is None else list(number) if isinstance(number, tuple) else [number]


def random_tensors(op, inputs):
    """Inputs in double precision; whole numbers where it matters which are equal."""
    tensors = [torch.rand((1, *t.shape), dtype=torch.float64) + 0.2 for t in inputs]
    if op.name in WHOLE:
        tensors = [torch.randint(0, 2, t.shape).to(t.dtype) for t in tensors]
    if op.name == "embedding":
        tensors = [t.long() for t in tensors]
    if getattr(op, "mask", None) and inputs[-1].dtype == "bool":  # hides nothing yet
        tensors[-1] = torch.ones_like(tensors[-1], dtype=torch.bool)
    return [x > 0.7 if t.dtype == "bool" and op.name == "where" and not i else x
            for i, (x, t) in enumerate(zip(tensors, inputs, strict=True))]  # fmt: skip


def changed(function, op, tensors, number, cell, result):
    """Which numbers of the result another number at a cell gives another value."""

    tensor = tensors[number]

    def run(value):
        given = [t.clone() for t in tensors]
        given[number][(0, *cell)] = value
        found = function(*given)
        return (found[result] if isinstance(found, tuple | list) else found)[0]

    with torch.no_grad():
        base = run(tensors[number][(0, *cell)])
        others = [0, 1] if op.name in WHOLE or tensor.dtype == torch.bool else [30.0, -30.0, 3.0]
        others += numbers_of(op)
        felt = torch.zeros(base.shape, dtype=torch.bool)
        for value in others:
            felt |= ~torch.isclose(base, run(value), rtol=TOLD, atol=TOLD)
    return felt


SIZES_ALONE = {"positions"}
"""What depends on no number."""
PLACED = {"max_unpool"}
"""Where the data say which number goes to which cell: test_unpool.py."""


@pytest.mark.parametrize("name", sorted(set(OF_VALUES) - SIZES_ALONE - PLACED))
def test_a_number_is_read_if_and_only_if_it_matters(name):
    torch.manual_seed(0)
    linked = apart = 0
    for op, inputs, outputs, random in legal_cases(name, CASES):
        function = live(op, inputs, outputs)
        tensors = random_tensors(op, inputs)
        bases = [tensors, [~tensors[0], *tensors[1:]]] if name == "where" else [tensors]
        with torch.no_grad():
            made = function(*tensors)
        if not all(
            torch.isfinite(t).all() for t in (made if isinstance(made, tuple | list) else [made])
        ):
            continue  # a negative eps, 1 / 0
        result = random.randrange(len(outputs))
        wanted = positions(fixed(outputs[result].shape), random, PLACES)
        reads = {at: op.reads(inputs, outputs, one(at), result) for at in wanted}
        for number, given in enumerate(inputs):
            mine = [p for found in reads.values() for n, p in found if n == number and all(p)]
            shape = fixed(given.shape)
            for cell in {*positions(shape, random, CELLS), *some_of(mine, random, CELLS)}:
                felt = sum(changed(function, op, base, number, cell, result) for base in bases)
                for at, found in reads.items():
                    said = is_in([p for n, p in found if n == number], cell)
                    assert said == bool(felt[at]), (op, inputs, number, cell, at)
                    linked, apart = linked + said, apart + (not said)
    print(f"{name}: {linked} links, {apart} pairs without")
    assert linked >= 40


@pytest.mark.parametrize("name", OF_VALUES)
def test_several_numbers_read_what_each_reads(name):
    checked = 0
    for op, inputs, outputs, random in legal_cases(name, 20):
        result = random.randrange(len(outputs))
        shape = fixed(outputs[result].shape)
        wanted = tuple(
            frozenset(random.sample(range(n), random.randint(1, min(n, 3)))) for n in shape
        )
        for some in wanted, whole(shape):
            if size_of(some) > 400:
                continue
            together = op.reads(inputs, outputs, some, result)
            single = [
                r for at in product(*some) for r in op.reads(inputs, outputs, one(at), result)
            ]
            for number in range(len(inputs)):
                ours, theirs = (
                    union(p for n, p in found if n == number) for found in (together, single)
                )
                assert ours == theirs, (op, inputs, some, number)
                assert all(
                    p[a] <= frozenset(range(n))
                    for p in ours
                    for a, n in enumerate(inputs[number].shape)
                )
            checked += 1
    assert checked >= 5


WEIGHT_OF_ZERO = {"upsample", "softmax", "log_softmax", "layernorm", "lrn", "argmax"}
"""`connections` counts what is read with weight 0 too."""


@pytest.mark.parametrize("name", sorted(set(OF_VALUES) - WEIGHT_OF_ZERO - PLACED))
def test_links_are_as_many_as_connections(name):
    checked = 0
    for op, inputs, outputs, _ in legal_cases(name, 30):
        said = op.connections(inputs, outputs)
        places = [
            (n, at) for n, t in enumerate(outputs) for at in product(*map(range, fixed(t.shape)))
        ]
        copied = (
            getattr(op, "padding_mode", "zeros") != "zeros"
        )  # a copy is counted beside its cell
        if said is None or copied or len(places) > 600:
            continue
        found = 0
        for result, at in places:
            reads = op.reads(inputs, outputs, one(at), result)
            found += sum(count(p for n, p in reads if n == number) for number in range(len(inputs)))
        assert found == said, (op, inputs)
        checked += 1
    assert checked >= 3
