"""Modules that are layers of one's own."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from torch import nn

from netdsl.importers.program import Setting
from netdsl.importers.torch.events import Ref
from netdsl.importers.torch.lows import Low, Refusal
from netdsl.importers.torch.plugged import Plugged, Use, weights_of
from netdsl.ir.tensor import DTYPES, Tensor
from netdsl.ops import Rules
from netdsl.ops import refusal as refusals
from netdsl.ops.op_parameters import parameters

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder


def own(to: Builder, one: nn.Module, plug: Plugged, *arguments: Any, **keywords: Any) -> Any:
    """A call of a layer that runs the module's own class."""
    assert to.op is not None
    lows = _flows(to, one, arguments, keywords)
    settings = to.made.record.literals(one) or {}
    path = to.op.module
    to.used |= {key for key in to.made.keys if key.startswith(f"{path}.")}
    own_settings = {part.name: settings[part.of_class] for part in plug.parameters}
    results = to.calls(
        plug.name,
        [low.value for low in lows],
        _count(to.op.results),
        tuple(path.split(".")),
        **{
            part.name: _written(own_settings[part.name])
            for part in plug.parameters
            if part.is_required or not _is_default(own_settings[part.name], part.default)
        },
    )
    for run in range(to.runs):
        _take(to, plug, own_settings, one, lows, run)
    outputs = [to.result(value, lows[0], place) for place, value in enumerate(results)]
    return outputs[0] if isinstance(to.op.results, Ref) else outputs


def _flows(to: Builder, one: nn.Module, arguments: Any, keywords: Any) -> list[Low]:
    """The values that come in, which stand first among the parameters of `forward`."""
    bound = inspect.signature(one.forward).bind(*arguments, **keywords)
    lows: list[Low] = []
    for place, (name, part) in enumerate(bound.arguments.items()):
        default = bound.signature.parameters[name].default
        if part is None and default is None:
            continue
        if not isinstance(part, Low) or part.is_table or place > len(lows):
            raise Refusal(f"`{name}` is given what is no value that flows: {part!r}")
        low = to.plain(part)
        if not low.is_plain:
            raise Refusal(f"`{name}` has not the batch in front")
        lows.append(low)
    if not lows:
        raise Refusal("nothing flows into it")
    return lows


def _is_default(value: Any, default: Any) -> bool:
    return type(value) is type(default) and value == default


def _count(results: Any) -> int:
    """How many values it gives: one, or several in a tuple or list."""
    if isinstance(results, Ref):
        return 1
    if type(results) in (tuple, list) and all(isinstance(part, Ref) for part in results):
        return len(results)
    raise Refusal("it gives something else than a tensor, or several in a tuple")


def _written(setting: Any) -> Setting:
    """A literal as a setting."""
    if isinstance(setting, str):
        if not setting.isprintable() or '"' in setting or "\\" in setting:
            raise Refusal(f"no text of the language is {setting!r}")
        return f'"{setting}"'
    return list(setting) if isinstance(setting, tuple) else setting


def _take(
    to: Builder, plug: Plugged, settings: dict[str, Any], one: nn.Module, lows: list[Low], run: int
) -> None:
    """Keep what was measured in a run; a rule that is stated must say the same."""
    assert to.op is not None
    agreed = to.agreed
    for number in to.op.outputs:
        if agreed.batch_axis(number) != 0:
            raise Refusal("it does more with the batch than to carry it along")
        if agreed.dtypes[number] not in DTYPES:
            raise Refusal(f"it gives {agreed.dtypes[number]}")
    inputs = tuple(
        Tensor(tuple(sizes[run] for sizes in low.sizes), low.value.dtype) for low in lows
    )
    results = tuple(
        Tensor(agreed.shapes[run][number][1:], agreed.dtypes[number]) for number in to.op.outputs
    )
    use = Use(settings, weights_of(one), inputs, results)
    if plug.op is None:
        if use not in plug.uses:
            plug.uses.append(use)
        return
    fields = {
        part.name: part.kind.convert(_as_list(settings[part.name]))
        for part in parameters(plug.op)
        if settings.get(part.name) is not None
    }
    layer = plug.op(**fields)
    try:
        said = layer.infer(inputs, Rules())
    except refusals.Refusal as refusal:
        raise Refusal(f"`{plug.name}` takes no {_shown(inputs)}: {refusal.message}") from None
    if said != results:
        raise Refusal(
            f"`infer` of `{plug.name}` gives {_shown(said)} for {_shown(inputs)}, and the module "
            f"gives {_shown(results)}",
            "mend the rule in the plug-in",
        )


def _as_list(setting: Any) -> Any:
    return list(setting) if isinstance(setting, tuple) else setting


def _shown(types: tuple[Tensor, ...]) -> str:
    return " and ".join(map(str, types))
