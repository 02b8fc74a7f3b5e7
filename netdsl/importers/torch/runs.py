"""Traces a module in training and inference at several sizes, and finds those that agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netdsl.importers.torch.agreeing import Agreed, Differ, agreed
from netdsl.importers.torch.inputs import Taken, Trial, at_natural_size, trials
from netdsl.importers.torch.lines import short
from netdsl.importers.torch.made import Made
from netdsl.importers.torch.measuring import measured
from netdsl.importers.torch.modes import together
from netdsl.importers.torch.tracing import Untraceable, traced

BATCHES = (2, 3)


@dataclass(frozen=True, slots=True)
class Traced:
    """A module's graph: that of training, the results of inference, and how it was taken."""

    agreed: Agreed
    results: Any
    trial: Trial
    remarks: tuple[str, ...] = ()


class Failed(Exception):
    """No trial worked; `cause` is why the first did not."""

    def __init__(self, cause: Exception, tried: Trial) -> None:
        super().__init__(str(cause))
        self.cause, self.tried = cause, tried


def traced_at(made: Made, trial: Trial) -> Traced:
    """The module at the sizes of a trial, and once with another batch."""
    both: list[Agreed] = []
    for is_training in (True, False):
        made.module.train(is_training)
        runs = [_run(made, trial.inputs, sizes, BATCHES[0]) for sizes in trial.sizes]
        runs.append(_run(made, trial.inputs, trial.sizes[0], BATCHES[1]))
        both.append(agreed(runs))
    merged, results = together(*both)
    return Traced(merged, results, trial)


def _run(made: Made, inputs: tuple[Taken, ...], sizes: Mapping[str, int], batch: int) -> Any:
    arguments = {one.name: one.example(sizes, batch) for one in inputs}
    places, names = (tuple(arguments.values()), {}) if len(inputs) == 1 else ((), arguments)
    ways: list[dict[str, bool]] = [{}]
    for way in ways:
        try:
            module = measured(made.fresh(), made)
            return traced(module, places, names, plugged=made.plugged, **way)[0]
        except RuntimeError as error:
            if "meta" not in str(error) or "has_numbers" in way:
                raise
            ways.append(way | {"has_numbers" if "makes_meta" in way else "makes_meta": True})
        except TypeError:
            if "has_own_int" in way:
                raise
            ways.append({**way, "has_own_int": False})
    raise AssertionError("each way returns, or goes on, or ends")


def traced_alike(made: Made, asked: Sequence[Taken]) -> Traced:
    """The module at the most open sizes that it takes. Raises `Failed`."""
    failures: list[Failed] = []
    for trial in _trials(made, asked):
        try:
            result = traced_at(made, trial)
        except Exception as error:
            failures.append(Failed(error, trial))
            continue
        if trial.is_open and (result.agreed.comparisons or result.agreed.reads):
            return _closed(made, result)
        return result
    raise next((one for one in failures if not one.tried.is_open), failures[0])


def _trials(made: Made, asked: Sequence[Taken]) -> Iterator[Trial]:
    """Open sizes, then the natural one, then others."""
    is_first = True
    for trial in trials(made.module, asked):
        if not trial.is_open and trial.sizes[0] and is_first:
            yield at_natural_size(made.module, trial)
            is_first = False
        yield trial


def _closed(made: Made, result: Traced) -> Traced:
    """A module that compares sizes, at one size: other sizes may be another network."""
    compared = [one.place for one in result.agreed.comparisons]
    file, line = [*compared, *result.agreed.reads][0]
    does = "compares sizes" if compared else "looks at numbers that may follow from the size"
    remark = f"{short(file)}:{line}: it {does} here, so it is read at one size"
    return closed(made, result, remark)


def closed(made: Made, result: Traced, remark: str) -> Traced:
    """A module at one size."""
    trial = at_natural_size(made.module, result.trial)
    try:
        one = traced_at(made, trial)
    except Exception:
        one = traced_at(made, Trial(trial.inputs, (result.trial.sizes[0],)))
    return Traced(one.agreed, one.results, one.trial, (remark,))


__all__ = ["Differ", "Failed", "Traced", "Untraceable", "closed", "traced_alike"]
