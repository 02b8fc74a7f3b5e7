"""A module through `torch.export`, with the open sizes of its contract."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any

from netdsl.backends.onnx.options import ExportError
from netdsl.backends.program.steps import Steps
from netdsl.ir.dim import Dim, Size, Symbol, substitute, symbol
from netdsl.ir.graph import Graph

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

GUARD = re.compile(r"generated guard (.+?)(?:\.Specializations .*|\.)?$", re.MULTILINE)
FIX = re.compile(r"^  (\w+ = .+)$", re.MULTILINE)
AXIS = re.compile(r"L\['(\w+)'\]\.size\(\)\[(\d+)\]")
MOST_TOLD = 8


class RefusedSizes(ExportError):
    """PyTorch's conditions on sizes that some of the contract do not meet, as it writes them."""

    def __init__(self, message: str, guards: Sequence[str]) -> None:
        super().__init__(message)
        self.guards = tuple(guards)


def traced(
    graph: Graph,
    module: nn.Module,
    inputs: Sequence[Tensor],
    steps: Mapping[str, Steps],
    batch: tuple[str, Steps],
) -> ExportedProgram:
    """The program of a module. Raises `ExportError` with the sizes that PyTorch refuses."""
    import torch

    shapes = dynamic_shapes(graph, steps, batch)
    with quiet(), _one_is_no_case():
        try:
            return torch.export.export(module, tuple(inputs), dynamic_shapes=shapes)
        except Exception as error:  # those of torch._dynamo have no common kind
            raise _refusal(graph, batch[0], str(error)) from error


def with_plain_results(module: nn.Module) -> nn.Module:
    """The module, several results as a tuple: a class of the generated source is none of the file.

    Results of training mode are left out, and a single one stands by itself. Keys stay.
    """
    original = type(module)

    @wraps(original.forward)
    def forward(self: nn.Module, *inputs: Tensor) -> Any:
        results = results_of(original.forward(self, *inputs))
        return results[0] if len(results) == 1 else tuple(results)

    module.__class__ = type(original.__name__, (original,), {"forward": forward})
    return module


def results_of(result: Any) -> list[Tensor]:
    """What a module gives in evaluation mode, as a list."""
    import torch

    return [result] if torch.is_tensor(result) else [part for part in result if part is not None]


def dynamic_shapes(
    graph: Graph, steps: Mapping[str, Steps], batch: tuple[str, Steps]
) -> tuple[dict[int, Any], ...]:
    """What of each axis is open, as `torch.export` is told.

    A size in steps is a multiple of another, plus a number. An axis that is no such formula of
    one symbol (`floor((H + 7)/8)`) is left to PyTorch.
    """
    counts = {name: _counter(name, one) for name, one in [*steps.items(), batch]}
    formulas = {name: _formula(name, one) for name, one in steps.items()}

    def axis(size: Size) -> Any:
        return _axis(substitute(size, formulas), counts)

    first = axis(_formula(*batch))
    return tuple(
        {0: first} | {n: axis(size) for n, size in enumerate(item.shape, start=1)}
        for item in graph.inputs
    )


def _counter(name: str, steps: Steps) -> Any:
    """The size itself where it has steps of 1, else the number of steps, from 1 on."""
    from torch.export import Dim as OpenSize

    if steps.step == 1:
        return OpenSize(name, min=steps.first, max=steps.last)
    last = None if steps.last is None else (steps.last - steps.first) // steps.step + 1
    return OpenSize(f"_{name}", min=1, max=last)


def _formula(name: str, steps: Steps) -> Size:
    """A size by its counter."""
    if steps.is_fixed:
        return steps.first
    return symbol(name) if steps.step == 1 else symbol(name) * steps.step + steps.first - steps.step


def _axis(size: Size, counts: Mapping[str, Any]) -> Any:
    from torch.export import Dim as OpenSize

    match size:
        case int():
            return None
        case Dim(constant=constant, terms=(((Symbol(name),), factor),)) if factor > 0:
            multiple = counts[name] if factor == 1 else factor * counts[name]
            return multiple + constant if constant else multiple
        case _:
            return OpenSize.DYNAMIC


@contextmanager
def quiet() -> Iterator[None]:
    """Without PyTorch's warnings and logs, which speak of its inside."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _one_is_no_case() -> Any:
    """PyTorch then traces a size of 1 as it does any other, where it has such a switch.

    By default it takes 1 for a case of its own, and refuses all sizes at which a map has one cell.
    """
    from torch.fx.experimental import _config

    if not hasattr(_config, "backed_size_oblivious"):
        return nullcontext()
    return _config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]


def _refusal(graph: Graph, batch: str, text: str) -> ExportError:
    """What PyTorch says, by the names of the sizes."""
    names = {(item.name, 0): batch for item in graph.inputs}
    for item in graph.inputs:
        names |= {(item.name, n): str(size) for n, size in enumerate(item.shape, start=1)}
    text = AXIS.sub(lambda m: names.get((m[1], int(m[2])), m[0]), text)
    guards = sorted(set(GUARD.findall(text)), key=lambda guard: (len(guard), guard))
    fixes = [fix for fix in FIX.findall(text) if "Dim(" in fix or fix.split(" = ")[1].isdecimal()]
    if not guards:
        first = text.strip().partition("\n")[0]
        return ExportError(f"torch.export refuses this network: {first}\n{_way_out(graph)}")
    lines = ["torch.export refuses the sizes of the contract at which one of these does not hold:"]
    lines += [f"  {guard}" for guard in guards[:MOST_TOLD]]
    if len(guards) > MOST_TOLD:
        lines.append(f"  and {len(guards) - MOST_TOLD} more")
    if fixes:
        lines.append(f"It suggests: {'; '.join(fixes)}")
    return RefusedSizes("\n".join([*lines, _way_out(graph)]), guards)


def _way_out(graph: Graph) -> str:
    if not graph.symbols:
        return "--batch fixes the number of samples"
    name = graph.symbols[0]
    return (
        f"--min {name}=..., --max {name}=... choose some of the sizes, --size and --batch fix them"
    )
