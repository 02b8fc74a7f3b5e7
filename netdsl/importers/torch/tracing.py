"""Runs a module on tensors without numbers, and writes down what it calls."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from netdsl.importers.torch.events import (
    Constant,
    Frame,
    Line,
    Op,
    Ref,
    Run,
    Sized,
    Stored,
    leaves,
    mapped,
)
from netdsl.importers.torch.ints import remembering
from netdsl.importers.torch.sized import Log, Of, SizedFloat, SizedInt, Sizes, sized
from netdsl.importers.torch.wholes import is_whole

TORCH = f"{Path(torch.__file__).parent}/"
HERE = f"{Path(__file__).parents[2]}/"
UNWRITTEN = frozenset(
    [
        "__format__",
        "__hash__",
        "__len__",
        "__repr__",
        "_set_grad_enabled",
        "data_ptr",
        "device",
        "dim",
        "dtype",
        "element_size",
        "get_autocast_dtype",
        "get_device",
        "grad",
        "grad_fn",
        "is_autocast_enabled",
        "is_complex",
        "is_contiguous",
        "is_cuda",
        "is_floating_point",
        "is_grad_enabled",
        "is_inference",
        "is_leaf",
        "is_meta",
        "is_mkldnn",
        "is_mps",
        "is_nested",
        "is_nested",
        "is_quantized",
        "is_same_size",
        "is_sparse",
        "is_tensor",
        "is_xpu",
        "itemsize",
        "layout",
        "names",
        "ndim",
        "nelement",
        "numel",
        "requires_grad",
        "requires_grad_",
        "result_type",
        "size",
        "storage_offset",
        "stride",
    ]
)
"""Functions that tell something of tensors and make none."""
FINITE = {"isfinite": True, "isinf": False, "isnan": False}
"""Functions that ask whether numbers are finite, and what holds of all numbers that are."""
READS = frozenset({"__bool__", "__float__", "__int__", "__index__", "item", "tolist"})
"""Functions that give the numbers of a tensor."""


class Untraceable(Exception):
    """The module did something that can't be followed; `line` is where."""

    def __init__(self, message: str, line: Line) -> None:
        super().__init__(message)
        self.line = line


def line_now() -> Line:
    """The line that runs now, of the first file that is neither torch's nor ours."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((TORCH, HERE, "<")):
            return name, frame.f_lineno
        frame = frame.f_back
    return "", 0


def line_of(error: BaseException) -> Line:
    """The last line of a file that is neither torch's nor ours that an error came through."""
    line, trace = ("", 0), error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith((TORCH, HERE, "<")):
            line = name, trace.tb_lineno
        trace = trace.tb_next
    return line


class Tracer(TorchFunctionMode):
    """Follows one run."""

    def __init__(self, module: nn.Module, *, makes_meta: bool, has_numbers: bool) -> None:
        super().__init__()
        self.makes_meta, self.has_numbers = makes_meta, has_numbers
        self.log = Log(line_now)
        owned = [
            *reversed(list(module.named_parameters(remove_duplicate=False))),
            *reversed(list(module.named_buffers(remove_duplicate=False))),
        ]
        self.stored = {id(one): key for key, one in owned}
        self.numbers: dict[int, int] = {}
        self.versions: dict[int, int] = {}
        self.written: dict[int, tuple[torch.Tensor, int]] = {}
        self.alive = [one for _, one in owned]
        self.certain: dict[int, bool] = {}
        self.silent = 0
        self.flowing: set[Any] = set()
        self.frames: list[Frame] = []
        self.calls: dict[str, int] = {}
        self.run: Run | None = None

    def named(self, tensor: torch.Tensor) -> int:
        """A new number for what a tensor holds now."""
        assert self.run is not None
        number = len(self.run.shapes)
        self.numbers[id(tensor)] = number
        self.versions[id(tensor)] = tensor._version
        self.alive.append(tensor)
        self.run.shapes.append(tuple(tensor.shape))
        self.run.dtypes.append(str(tensor.dtype).removeprefix("torch."))
        return number

    def number(self, tensor: torch.Tensor) -> int:
        """The number of what a tensor holds now, though it was changed by another name."""
        number = self.numbers[id(tensor)]
        if self.versions[id(tensor)] == tensor._version:
            return number
        other, newer = self.written.get(_storage(tensor), (tensor, -1))
        if newer >= 0 and other._version == tensor._version and _lie_alike(tensor, other):
            return newer
        raise Untraceable(
            "this uses a tensor, a part of which was changed in place before", line_now()
        )

    def told(self, thing: Any) -> Any:
        """An argument or result as it is written down."""
        if isinstance(thing, torch.Tensor):
            key = self.stored.get(id(thing))
            if key is not None:
                return Stored(key)
            if id(thing) in self.certain:
                raise Untraceable("this works with which numbers are not finite", line_now())
            return Ref(self.number(thing)) if id(thing) in self.numbers else Constant(thing)
        if isinstance(thing, SizedInt | SizedFloat):
            plain = int.__int__(thing) if isinstance(thing, int) else float.__float__(thing)
            return Sized(plain, thing.expression)
        return thing

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.silent or not self.frames:
            return func(*args, **kwargs)
        name = function_name(func)
        if name in ("shape", "size"):
            return self.sizes(args, kwargs)
        if name in ("dim", "ndim", "ndimension"):
            return func(*args, **kwargs)
        if name in ("__len__",) and id(args[0]) in self.numbers:
            return self.sizes((args[0], 0), {})
        if name in ("numel", "nelement") and id(args[0]) in self.numbers:
            return self.sizes((args[0],), {}).numel()
        if id(args[0] if args else None) in self.certain or (name in FINITE and self.flows(args)):
            return self.finite(name, args[0])
        if name == "__setitem__":
            self.allow_sum(*args)
        told = mapped((args, kwargs), self.told) if name not in UNWRITTEN else None
        if self.makes_meta and not self.has_numbers and func in _device_constructors():
            kwargs = {**kwargs, "device": kwargs.get("device") or "meta"}
        if self.has_numbers:
            args, kwargs = self.numbered(func, args, kwargs)
        with torch._C.DisableTorchFunction():
            result = normed(*args, **kwargs) if name == "batch_norm" else func(*args, **kwargs)
        if told is None:
            return result
        return self.write(name, told, result, func, args[0] if args else None)

    def flows(self, args: Any) -> bool:
        """Whether a tensor follows from what comes in, or from weights."""
        return bool(args) and isinstance(args[0], torch.Tensor) and args[0].is_meta

    def finite(self, name: str, tensor: torch.Tensor) -> Any:
        """What a question is answered by that asks whether all numbers are finite: they are."""
        answer = FINITE[name] if name in FINITE else self.certain[id(tensor)]
        if name in ("__bool__", "item"):
            return answer
        if name not in FINITE and name not in ("all", "any", "__bool__", "item"):
            raise Untraceable("this works with which numbers are not finite", line_now())
        with torch._C.DisableTorchFunction():
            result = torch.empty((), dtype=torch.bool, device="meta")
        self.certain[id(result)] = answer
        self.alive.append(result)
        return result

    def numbered(self, func: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Arguments of a function such that what follows from no input has numbers."""
        if func in _device_constructors():
            return args, {**kwargs, "device": "cpu"}
        tensors = [one for one in leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        if func.__name__ in READS and tensors and not tensors[0].is_meta:
            assert self.run is not None
            self.run.reads.append(line_now())
        if not any(one.is_meta for one in tensors):
            return mapped((args, kwargs), lambda one: "cpu" if _is_device(one) else one)
        with torch._C.DisableTorchFunction():
            return mapped((args, kwargs), _on_meta)

    def sizes(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What a tensor answers for its shape: numbers that remember."""
        tensor, *rest = args
        shape = torch.Tensor.size(tensor)
        if id(tensor) in self.numbers:
            number = self.number(tensor)
            shape = Sizes(
                sized(int(size), Of(number, axis), self.log) for axis, size in enumerate(shape)
            )
        axis = rest[0] if rest else kwargs.get("dim")
        return shape if axis is None else shape[int(axis)]

    def write(
        self, name: str, told: Any, result: Any, function: Any = None, target: Any = None
    ) -> Any:
        """Write an op down; what it returns is a tensor object of its own for each value."""
        arguments, keywords = told
        results: list[int] = []

        def each(one: Any) -> Any:
            if not isinstance(one, torch.Tensor):
                return one
            if id(one) in self.stored:
                return one
            if id(one) in self.numbers:
                if self.versions[id(one)] == one._version:
                    one = one.view_as(one)
                else:
                    self.changed(one)
                    results.append(self.numbers[id(one)])
                    return one
            results.append(self.named(one))
            return one

        with torch._C.DisableTorchFunction():
            result = mapped(result, each)
            told_result = mapped(result, self.told)
        op = Op(name, arguments, keywords, told_result, line_now(), self.frames[-1].path)
        op.outputs = tuple(results)
        op.function = function
        if results:
            self.frames[-1].items.append(op)
            if any(isinstance(one, Stored) or one in self.flowing for one in leaves(told)):
                self.flowing.update(map(Ref, results))
        elif name == "__setitem__":
            self.assigned(op, target)
        return result

    def changed(self, tensor: torch.Tensor) -> None:
        """A tensor holds something new."""
        number = self.named(tensor)
        self.written[_storage(tensor)] = (tensor, number)

    def assigned(self, op: Op, tensor: torch.Tensor) -> None:
        """Statements such as `x[:, 0] = y`: the tensor is another value from then on."""
        if id(tensor) in self.stored:
            raise Untraceable("this changes a parameter or buffer in place", op.line)
        self.changed(tensor)
        op.results = Ref(self.numbers[id(tensor)])
        op.outputs = (op.results.number,)
        self.frames[-1].items.append(op)
        parts = leaves((op.arguments, op.keywords))
        if any(isinstance(one, Stored) or one in self.flowing for one in parts):
            self.flowing.add(op.results)

    def allow_sum(self, target: torch.Tensor, index: Any, value: Any) -> None:
        """In `x[:, 0] += y` Python assigns the part that it has changed in place before."""
        other, newer = self.written.get(_storage(target), (target, -1))
        is_part = newer >= 0 and other is value and id(target) in self.numbers
        if not is_part or self.versions[id(target)] != target._version - 1:
            return
        with torch._C.DisableTorchFunction():
            part = target[index]
        if _lie_alike(part, value) and _storage(part) == _storage(target):
            self.versions[id(target)] = target._version

    def enter(self, path: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        """A module is called."""
        bound = _bound(module, args, kwargs)
        frame = Frame(path, line_now(), mapped(bound, self.told))
        frame.number = self.calls[path] = self.calls.get(path, -1) + 1
        self.frames[-1].items.append(frame)
        self.frames.append(frame)

    def leave(self, result: Any) -> None:
        """The module that was called last returns."""
        self.frames.pop().results = mapped(result, self.told)


def traced(
    module: nn.Module,
    arguments: tuple[Any, ...],
    keywords: Mapping[str, Any],
    *,
    makes_meta: bool = False,
    has_numbers: bool = False,
    has_own_int: bool = True,
    plugged: Container[type] = (),
) -> tuple[Run, Any]:
    """One run of a module on tensors of the device "meta"; modules `plugged` are not looked into.

    With `makes_meta` the tensors that `forward` makes are there too; else they have numbers, and
    with `has_numbers` those too that it makes where its inputs are.
    With `has_own_int` its `int(...)` keeps where a size comes from.
    """
    tracer = Tracer(module, makes_meta=makes_meta, has_numbers=has_numbers)
    root = Frame("", ("", 0), _bound(module, arguments, keywords))
    run = tracer.run = Run(root, {})
    for name, one in root.arguments.items():
        if isinstance(one, torch.Tensor):
            run.inputs[name] = tracer.named(one)
            tracer.flowing.add(Ref(run.inputs[name]))
    root.arguments = mapped(root.arguments, tracer.told)
    tracer.frames.append(root)
    own = remembering(module) if has_own_int else nullcontext()
    with torch.no_grad(), _hooked(module, tracer, plugged), _gradients(tracer, run), own, tracer:
        result = module(*arguments, **keywords)
        with torch._C.DisableTorchFunction():
            root.results = mapped(_plain(result), tracer.told)
    run.comparisons = tracer.log.comparisons
    return run, result


@contextmanager
def _gradients(tracer: Tracer, run: Run) -> Iterator[None]:
    """Notes the functions of autograd that are looked into."""
    function: Any = torch.autograd.Function
    inherited = function.__dict__["apply"]

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if not tracer.silent:
            run.gradients.setdefault(cls.__name__, line_now())
        return inherited.__get__(None, cls)(*args, **kwargs)

    function.apply = classmethod(apply)
    try:
        yield
    finally:
        function.apply = inherited


@contextmanager
def _hooked(module: nn.Module, tracer: Tracer, plugged: Container[type]) -> Iterator[None]:
    with ExitStack() as stack:
        for path, one in module.named_modules():
            if path:
                before, after = _hooks(path, is_whole(one) or type(one) in plugged, tracer)
                one_hook = one.register_forward_pre_hook(before, with_kwargs=True)
                stack.callback(one_hook.remove)
                other = one.register_forward_hook(after, with_kwargs=True)
                stack.callback(other.remove)
        yield


def _hooks(path: str, whole: bool, tracer: Tracer) -> tuple[Callable[..., Any], ...]:
    written: list[Any] = []

    def before(module: nn.Module, args: Any, kwargs: Any) -> None:
        if tracer.silent == 0 and not whole:
            tracer.enter(path, module, args, kwargs)
            return
        if tracer.silent == 0:
            tracer.enter(path, module, args, kwargs)
            written.append(mapped((args, kwargs), tracer.told))
        tracer.silent += 1

    def after(module: nn.Module, args: Any, kwargs: Any, result: Any) -> Any:
        if tracer.silent == 0:
            tracer.leave(_plain(result))
            return None
        tracer.silent -= 1
        if tracer.silent:
            return None
        result = tracer.write(f"module {path}", written.pop(), result)
        tracer.leave(result)
        return result

    return before, after


def _plain(result: Any) -> Any:
    """Results that are dict-like (transformers') as dicts; those that are no tensors stay."""
    if isinstance(result, Mapping) and type(result) is not dict:
        return dict(result)
    return result


def _bound(module: nn.Module, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of `forward` by name."""
    try:
        bound = inspect.signature(module.forward).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return {f"x{place}": one for place, one in enumerate(args)} | dict(kwargs)
    named: dict[str, Any] = {}
    for name, one in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            named.update({f"{name}{place}": part for place, part in enumerate(one)})
        elif kind is inspect.Parameter.VAR_KEYWORD:
            named.update(one)
        else:
            named[name] = one
    return named


def normed(input: torch.Tensor, *rest: Any, **keywords: Any) -> torch.Tensor:
    """What a batch norm gives, without the statistics, which take long on "meta" and are none.

    It refuses what `F.batch_norm` refuses.
    """
    training = keywords.get("training", rest[4] if len(rest) > 4 else False)
    mean = keywords.get("running_mean", rest[0] if rest else None)
    if not input.is_meta or input.ndim < 2:
        return F.batch_norm(input, *rest, **keywords)
    if mean is not None and input.shape[1] != mean.numel():
        raise RuntimeError(f"{mean.numel()} channels are normalised, and {input.shape[1]} come in")
    if training and input.numel() <= input.shape[1]:
        raise ValueError("training needs more than one value a channel")
    return torch.empty_like(input)


def _is_device(one: Any) -> bool:
    return isinstance(one, torch.device) and one.type == "meta"


def _on_meta(one: Any) -> Any:
    is_elsewhere = isinstance(one, torch.Tensor) and not one.is_meta
    return one.to("meta") if is_elsewhere else one


def function_name(func: Any) -> str:
    """The name of a function of torch; of an attribute such as `shape` its own."""
    name = getattr(func, "__name__", "")
    if name == "__get__":
        return func.__self__.__name__
    return name or str(func)


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _lie_alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    return (
        one.shape == other.shape
        and one.stride() == other.stride()
        and one.storage_offset() == other.storage_offset()
    )
