"""A module to import: made without numbers, with what its constructors were given."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netdsl.importers.torch.constructors import Record, Settings, recorded
from netdsl.importers.torch.lows import Refusal
from netdsl.importers.torch.plugged import Plugged
from netdsl.importers.torch.tables import fill_of

if TYPE_CHECKING:
    import numpy

DTYPES = frozenset({"float32", "int64", "bool"})

SHORT = 64
"""Numbers of a buffer that are written, though a checkpoint has them."""


class Made:
    """A module on the device "meta"; `real` makes the same with numbers, once they are needed."""

    def __init__(
        self,
        module: nn.Module,
        record: Record,
        real: Callable[[], nn.Module],
    ) -> None:
        self.module = module
        self.record = record
        self.plugged: dict[type, Plugged] = {}
        self.modules = dict(module.named_modules(remove_duplicate=False))
        self.stored = {
            key: (tuple(one.shape), str(one.dtype).removeprefix("torch."))
            for key, one in (
                *module.named_parameters(remove_duplicate=False),
                *module.named_buffers(remove_duplicate=False),
            )
        }
        self.keys = set(module.state_dict(keep_vars=True))
        self._real = real
        self._module: nn.Module | None = None

    @property
    def numbered(self) -> nn.Module:
        """The module with numbers."""
        if self._module is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._module = self._real()
        return self._module

    def fresh(self) -> nn.Module:
        """A copy of the module, which keeps nothing of runs before."""
        try:
            return copy.deepcopy(self.module)
        except Exception:
            return self.module

    def settings(self, path: str) -> Settings:
        """What the constructor of a module was given."""
        return self.record.settings(self.modules[path])

    def measured(self) -> list[Plugged]:
        """The layers of one's own whose rule nobody has stated."""
        kinds = dict.fromkeys(map(type, self.modules.values()))
        plugs = [self.plugged[kind] for kind in kinds if kind in self.plugged]
        return [one for one in plugs if one.op is None]

    def kinds(self, path: str) -> tuple[type, ...]:
        """The classes of the modules from the network down to one."""
        parts = path.split(".") if path else []
        paths = [".".join(parts[:end]) for end in range(len(parts) + 1)]
        return tuple(type(self.modules[one]) for one in paths if one in self.modules)

    def tensor(self, key: str) -> torch.Tensor:
        """A parameter or buffer with its numbers."""
        owner, _, name = key.rpartition(".")
        return getattr(self.numbered.get_submodule(owner), name).detach().cpu()

    def begins(self, key: str) -> tuple[str, Any]:
        """How a table is declared: its kind, and what it begins with.

        Buffers that are not in the checkpoint are constant, with all their numbers.
        """
        owner, _, name = key.rpartition(".")
        is_learned = name in self.modules[owner]._parameters
        dtype = self.stored[key][1]
        if dtype not in DTYPES:
            raise Refusal(f"`{key}` is {dtype}", "the language has float32, int64 and bool")
        if is_learned:
            return "", 0.0
        try:
            fill = fill_of(self.tensor(key), SHORT)
        except Refusal:
            fill = 0
        return ("" if dtype != "float32" else "frozen"), fill

    def numbers(self) -> Mapping[str, Callable[[], numpy.ndarray]]:
        """The numbers of the checkpoint, each as a function that gives them."""

        def one(key: str) -> Callable[[], numpy.ndarray]:
            return lambda: self.tensor(key).numpy()

        return {key: one(key) for key in sorted(self.keys)}


def made(factory: Callable[[], Any]) -> Made:
    """A module of a factory: without memory for its numbers, where it can be made so."""
    with recorded() as record:
        try:
            with torch.device("meta"):
                module = checked(factory())
        except Exception:
            module = checked(factory())
    is_real = not any(one.is_meta for one in (*module.parameters(), *module.buffers()))
    real = copy.deepcopy(module) if is_real else None

    def numbered() -> nn.Module:
        return real if real is not None else checked(factory())

    return Made(module.to("meta") if is_real else module, record, numbered)


def checked(one: Any) -> nn.Module:
    """What a factory gave, if it is a module."""
    if isinstance(one, type) and issubclass(one, nn.Module):
        one = one()
    if not isinstance(one, nn.Module):
        raise TypeError(f"this gives {type(one).__name__}, and no nn.Module")
    return one
