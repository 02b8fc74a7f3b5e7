"""What an imported module must be: the same keys, numbers and sizes as the module itself."""

from __future__ import annotations

import itertools
import random
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten

import netdsl
from netdsl.importers.frontend import Question
from netdsl.importers.imported import Imported, imported
from netdsl.importers.torch.made import made
from netdsl.importers.torch.reading import answer

TOLERANCE = 1e-5
"""The largest difference of an output, as a share of its largest number."""


class Unequal(AssertionError):
    """An import that is not the module; `stage` is where it was seen."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(f"{stage}: {message}")
        self.stage = stage


@dataclass
class Compared:
    """An import that is the module."""

    text: str
    is_open: bool
    largest_difference: float
    sizes: list[Mapping[str, int]]
    seconds: float
    pairs: int = 0
    remarks: tuple[str, ...] = field(default=())


def import_of(make: Callable[[], nn.Module], name: str = "Net", **inputs: Any) -> Imported:
    """A module of a factory, read as the command line reads one."""
    from netdsl.diagnostics import Source, Span

    question = Question(name, inputs=inputs)
    return imported(answer(make, name, question, Span(Source(name, name), 0, len(name))))


def with_statistics(
    module: nn.Module, example: Callable[[int, Mapping[str, int]], Any]
) -> nn.Module:
    """The module after one pass in training, so that statistics are not 0 and 1."""
    torch.manual_seed(1)
    for one in module.modules():
        if isinstance(one, nn.modules.batchnorm._BatchNorm):
            one.momentum_before = one.momentum
            one.momentum = 1.0
    with torch.no_grad():
        try:
            module.train()(example(2, {}))
        except RuntimeError:
            module.train()(example(2, {"H": 299, "W": 320}))
        for one in module.parameters():
            if one.ndim == 1 and one.numel() > 1:
                one.add_(torch.randn_like(one) * 0.05)
    for one in module.modules():
        if isinstance(one, nn.modules.batchnorm._BatchNorm):
            one.momentum = one.momentum_before
    return module.eval()


def compare(
    make: Callable[[], nn.Module],
    name: str,
    *,
    sizes: Sequence[tuple[int, ...]] = ((97, 131), (160, 118), (193, 227)),
    pairs: int = 40,
    **inputs: Any,
) -> Compared:
    """Import a module and compare it with itself. Raises `Unequal`, or what the import raises."""
    start = time.perf_counter()
    one = import_of(make, name, **inputs)
    seconds = time.perf_counter() - start
    network = netdsl.loads(one.text)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = make()
    ours = network.torch()
    _keys(module, ours)
    symbols = list(network.sizes.symbols)
    chosen = [dict(zip(symbols, size, strict=False)) for size in sizes] if symbols else [{}] * 3
    if symbols:
        chosen = [_accepted(network, size) for size in chosen]
    module = with_statistics(
        module, lambda batch, size: _example(network, size or chosen[-1], batch, 7)
    )
    ours.load_state_dict(module.state_dict(), strict=True)
    ours.eval()
    worst = 0.0
    for seed, size in enumerate(chosen):
        worst = max(worst, _difference(network, module, ours, size, seed))
    agreed = _contract(network, make, symbols, pairs) if symbols else 0
    return Compared(one.text, bool(symbols), worst, chosen, seconds, agreed, one.answer.remarks)


def _accepted(network: Any, size: Mapping[str, int]) -> Mapping[str, int]:
    if network.sizes.accepts(**size):
        return size
    nearest = network.sizes.nearest(**size)
    chosen = nearest.up or nearest.down
    if chosen is None:
        raise Unequal("sizes", f"no size near {dict(size)} is accepted")
    return dict(chosen)


def _keys(module: nn.Module, ours: nn.Module) -> None:
    theirs, mine = module.state_dict(), ours.state_dict()
    missing, more = sorted(theirs.keys() - mine.keys()), sorted(mine.keys() - theirs.keys())
    if missing or more:
        raise Unequal("keys", f"missing {missing[:4]}, unexpected {more[:4]}")
    for key, one in theirs.items():
        if one.shape != mine[key].shape or one.dtype != mine[key].dtype:
            raise Unequal("keys", f"{key} is {one.shape} {one.dtype}, and {mine[key].shape} here")


def _example(network: Any, size: Mapping[str, int], batch: int, seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)
    tensors = []
    for one in network.inputs:
        shape = [part if isinstance(part, int) else size[str(part)] for part in one.shape]
        if str(one.dtype) == "int64":
            tensors.append(torch.randint(0, 50, (batch, *shape), generator=generator))
        else:
            tensors.append(torch.randn(batch, *shape, generator=generator))
    return tensors[0] if len(tensors) == 1 else tensors


def _called(module: nn.Module, example: Any) -> list[torch.Tensor]:
    arguments = example if isinstance(example, list) else [example]
    result = module(*arguments)
    if isinstance(result, Mapping):
        result = list(result.values())
    return [one for one in tree_flatten(result)[0] if isinstance(one, torch.Tensor)]


def _difference(network: Any, module: Any, ours: Any, size: Mapping[str, int], seed: int) -> float:
    example = _example(network, size, 2, seed)
    with torch.no_grad():
        theirs, mine = _called(module, example), _called(ours, example)
    if len(theirs) != len(mine):
        raise Unequal("outputs", f"{len(theirs)} there, {len(mine)} here")
    if not any(bool(one.any()) for one in theirs):
        raise Unequal("numbers", "all outputs are 0, which tells nothing")
    worst = 0.0
    for a, b in zip(theirs, mine, strict=True):
        if a.shape != b.shape:
            raise Unequal("outputs", f"{tuple(a.shape)} there, {tuple(b.shape)} here, at {size}")
        scale = float(a.abs().max()) or 1.0
        worst = max(worst, float((a.float() - b.float()).abs().max()) / scale)
    if not worst <= TOLERANCE:
        raise Unequal("numbers", f"they differ by {worst:.1e} of the largest at {dict(size)}")
    return worst


def _contract(network: Any, make: Callable[[], nn.Module], symbols: list[str], pairs: int) -> int:
    """Whether the module runs at exactly the sizes that the contract has."""
    module = made(make).module.eval()
    random_one = random.Random(3)
    tried: set[tuple[int, ...]] = set()
    edge = next(
        (n for n in range(1, 400) if network.sizes.accepts(**dict.fromkeys(symbols, n))), 400
    )
    near = [max(1, edge + step) for step in (-1, 0, 1)]
    tried |= set(itertools.product(near, repeat=len(symbols)))
    while len(tried) < pairs + 9:
        tried.add(tuple(random_one.randint(1, max(130, 2 * edge)) for _ in symbols))
    for size in sorted(tried):
        named = dict(zip(symbols, size, strict=True))
        accepts = network.sizes.accepts(**named)
        runs = _runs(module, _meta(network, named))
        if accepts != runs:
            raise Unequal(
                "contract",
                f"{named}: the module {'runs' if runs else 'fails'}, and is "
                f"{'accepted' if accepts else 'refused'} here",
            )
    return len(tried)


def _meta(network: Any, size: Mapping[str, int]) -> Any:
    example = _example(network, size, 1, 0)
    return [one.to("meta") for one in (example if isinstance(example, list) else [example])]


class _WithoutNorms(TorchFunctionMode):
    """Batch norms take most of the time on "meta", and change no shape in inference."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") == "batch_norm":
            if args[1] is not None and args[0].shape[1] != args[1].numel():
                raise RuntimeError("other channels are normalised than come in")
            return args[0].clone()
        return func(*args, **(kwargs or {}))


def _runs(module: nn.Module, arguments: list[torch.Tensor]) -> bool:
    try:
        with torch.no_grad(), _WithoutNorms():
            module(*arguments)
    except Exception:
        return False
    return True
