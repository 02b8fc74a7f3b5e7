"""Whether a checkpoint is one of a network: key by key, shape by shape, and what to do if not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from netdsl.backends.weights.checkpoint import Checkpoint
from netdsl.backends.weights.renaming import Rename, is_fitted, rule_text
from netdsl.diagnostics import Diagnostic, Severity, Span
from netdsl.ir.graph import Graph, WeightSpec

FLOATS = ("float64", "float32", "float16", "bfloat16")
Prefix = tuple[str, str]
OPTIONAL = "num_batches_tracked"
"""A counter that no computation reads; checkpoints from before PyTorch 0.4.1 lack it."""
SHOWN = 6
MOST_NEAR = 2
LONGEST_KEY = 120
MOST_COMPARED = 80
PART = re.compile(r"-of-0*(\d+)\.\w+$")
"""A file that holds a part of the weights: `model-00001-of-00002.safetensors`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A weight of the network, and where its layer stands in the source."""

    spec: WeightSpec
    span: Span


def fit(graph: Graph, checkpoint: Checkpoint, rename: Rename | None = None) -> list[Diagnostic]:
    """What is wrong with these weights for this network; nothing if they load by name, strictly.

    With `rename` only the keys that fit one of its rules are read. Weights of another precision
    are a warning, as they are converted.
    """
    wanted = wanted_weights(graph)
    unused = [old for old in rename or () if old and not is_fitted(old, checkpoint.held)]
    if unused:
        return [_fits_nothing(checkpoint, old) for old in unused]
    taken = checkpoint.renamed(rename)
    if wanted and not taken.held:
        return [Diagnostic("bad-weights", f"{taken.name} holds no tensors", None)]
    prefixes = [] if rename else _rules(wanted.keys(), taken.held.keys())
    if prefixes:
        rest = _problems(graph, wanted, taken.renamed(dict(prefixes[:1])))
        return [_renamed(graph, taken, prefixes), *(d for d in rest if d.is_error)]
    left_out = list(_left_out(wanted, checkpoint, taken))
    if wanted and taken.held and not left_out and not wanted.keys() & taken.held.keys():
        return [_stranger(graph, wanted, taken)]
    return [*left_out, *_problems(graph, wanted, taken)]


def wanted_weights(graph: Graph) -> dict[str, Wanted]:
    """Every weight of a network by its key in `state_dict()`."""
    return {
        layer.key(spec): Wanted(spec, layer.calls[0].span)
        for layer in graph.layers()
        for spec in layer.weights
    }


def _problems(graph: Graph, wanted: Mapping[str, Wanted], taken: Checkpoint) -> list[Diagnostic]:
    missing = [k for k, w in wanted.items() if k not in taken.held and w.spec.key != OPTIONAL]
    left = [key for key in taken.held if key not in wanted]
    problems = [*_missing(wanted, missing, left, taken)]
    problems += _mismatches(wanted, taken)
    if left:
        problems.append(
            Diagnostic(
                "unexpected-weight",
                f"{_keys(left)} of {taken.name} {_is(left)} not in the net {graph.name}",
                None,
                help=("the net lacks a layer, or labels it otherwise",),
            )
        )
    problems += _converted(wanted, taken)
    return problems


# --- what is wrong ---------------------------------------------------------------------------


def _missing(
    wanted: Mapping[str, Wanted], missing: Sequence[str], left: Sequence[str], taken: Checkpoint
) -> Iterator[Diagnostic]:
    compared, nearest = 0, _Left(left, taken).nearest
    first = wanted[missing[0]].span if missing else None
    for span, keys in _by_place(wanted, missing):
        helps: list[str] = []
        for key in keys[:MOST_NEAR]:
            near = nearest(key, wanted[key].spec.shape) if compared < MOST_COMPARED else ""
            compared += 1
            which = f"for {_short(key)} " if len(keys) > 1 else ""
            if near:
                helps.append(f"{which}there is {_short(near)}: label the layer so, or rename it")
        if (part := PART.search(taken.name)) and span is first:
            helps.append(f"by its name it is one of {int(part[1])} files; give their tensors "
                         "as one `state_dict` in Python")  # fmt: skip
        yield Diagnostic(
            "missing-weight",
            f"{_keys(keys)} {_is(keys)} missing in {taken.name}",
            span,
            label=f"has shape {list(wanted[keys[0]].spec.shape)}",
            help=tuple(helps),
        )


def _mismatches(wanted: Mapping[str, Wanted], taken: Checkpoint) -> Iterator[Diagnostic]:
    shapes: list[str] = []
    kinds: list[str] = []
    for key, want in wanted.items():
        held = taken.held.get(key)
        if held is None:
            continue
        if held.shape != want.spec.shape:
            shapes.append(key)
        elif (
            want.spec.key != OPTIONAL
            and held.dtype != want.spec.dtype
            and not _is_converted(want.spec.dtype, held.dtype)
        ):
            kinds.append(key)
    for span, keys in _by_place(wanted, shapes):
        texts = [
            f"{_short(k)} has shape {list(taken.held[k].shape)}, and the net "
            f"{list(wanted[k].spec.shape)}"
            for k in keys
        ]
        label = f"makes {list(wanted[keys[0]].spec.shape)}"
        yield Diagnostic("weight-shape", texts[0], span, label=label, notes=_cut(texts[1:]))
    for span, keys in _by_place(wanted, kinds):
        texts = [
            f"{_short(k)} holds {taken.held[k].dtype}, and the net {wanted[k].spec.dtype}"
            for k in keys
        ]
        yield Diagnostic("weight-dtype", texts[0], span, notes=_cut(texts[1:]))


def _is_converted(wanted: str, held: str) -> bool:
    return wanted in FLOATS and held in FLOATS


def _converted(wanted: Mapping[str, Wanted], taken: Checkpoint) -> Iterator[Diagnostic]:
    """One warning for each precision that is not the network's."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for key, want in wanted.items():
        held = taken.held.get(key)
        if held and held.dtype != want.spec.dtype and _is_converted(want.spec.dtype, held.dtype):
            kinds.setdefault((held.dtype, want.spec.dtype), []).append(key)
    for (has, wants), keys in kinds.items():
        yield Diagnostic(
            "weight-dtype",
            f"{_keys(keys)} {_is(keys)} {has} in {taken.name}, and converted to {wants}",
            None,
            Severity.WARNING,
        )


def _stranger(graph: Graph, wanted: Mapping[str, Wanted], taken: Checkpoint) -> Diagnostic:
    return Diagnostic(
        "missing-weight",
        f"no weight of {graph.name} is in {taken.name}, which is of another network",
        graph.root.span,
        notes=(f"it holds {_keys(list(taken.held))}", f"the net has {_keys(list(wanted))}"),
        help=("labels in the net give the keys: `features.0: conv(...)` is `features.0.weight`",),
    )


def _renamed(graph: Graph, taken: Checkpoint, rules: Sequence[Prefix]) -> Diagnostic:
    (old, new), *others = rules
    if old:
        clash = f"the weights of {taken.name} begin with `{old:.80}`, and those of the net do not"
    else:
        clash = f"the weights of the net begin with `{new:.80}`, and those of {taken.name} do not"
    help = f"`{rule_text(old, new)}`, in Python `rename={ {old: new} }`"
    also = [f"as many fit by `{rule_text(*other)}`: a second copy" for other in others[:MOST_NEAR]]
    return Diagnostic("renamed-weights", clash, graph.root.span, notes=tuple(also), help=(help,))


def _fits_nothing(checkpoint: Checkpoint, old: str) -> Diagnostic:
    message = f"no key of {checkpoint.name} begins with `{old:.80}`"
    return Diagnostic(
        "renamed-weights", message, None, notes=(f"it holds {_keys(list(checkpoint.held))}",)
    )


def _left_out(
    wanted: Mapping[str, Wanted], checkpoint: Checkpoint, taken: Checkpoint
) -> Iterator[Diagnostic]:
    """Keys that would fit as they are, and that no rule reads."""
    keys = [key for key in wanted if key in checkpoint.held and key not in taken.held]
    if keys:
        yield Diagnostic(
            "renamed-weights",
            f"{_keys(keys)} of {checkpoint.name} {_is(keys)} in the net, and read by no rule",
            None,
            help=(f"`{rule_text('', '')}` behind the other rules reads the rest as it is",),
        )


# --- guesses ---------------------------------------------------------------------------------


def _rules(wanted: Iterable[str], held: Iterable[str]) -> list[Prefix]:
    """Prefixes to take off or to put on, if that makes more keys fit, and half of the net's.

    Those of the most hits: two where a checkpoint holds averaged weights beside the last ones.
    """
    wants, has = set(wanted), set(held)
    rules = {(prefix, ""): n for prefix, n in _prefixes(has, wants).items()}
    rules |= {("", prefix): n for prefix, n in _prefixes(wants, has).items()}
    most = max(rules.values(), default=0)
    if most <= len(wants & has) or 2 * most < len(wants):
        return []
    return sorted(rule for rule, hits in rules.items() if hits == most)


def _prefixes(longer: set[str], shorter: set[str]) -> Counter[str]:
    """How many keys of `shorter` each prefix brings forth."""
    votes: Counter[str] = Counter()
    for key in longer:
        at = key.find(".")
        while at >= 0:
            if key[at + 1 :] in shorter:
                votes[key[: at + 1]] += 1
            at = key.find(".", at + 1) if at < LONGEST_KEY else -1
    return votes


class _Left:
    """Keys that are left over, by shape, as many as are worth comparing."""

    def __init__(self, keys: Sequence[str], taken: Checkpoint) -> None:
        self.any = [key for key in keys[:MOST_COMPARED] if len(key) < LONGEST_KEY]
        self.by_shape: dict[tuple[int, ...], list[str]] = {}
        for key in keys:
            same = self.by_shape.setdefault(taken.held[key].shape, [])
            if len(same) < MOST_COMPARED and len(key) < LONGEST_KEY:
                same.append(key)

    def nearest(self, key: str, shape: tuple[int, ...]) -> str:
        """The key most like this one, of this shape if there is any."""
        same = [k for k in self.by_shape.get(shape, ()) if k.endswith(key[-4:])]
        for candidates, cutoff in (same, 0.4), (self.any, 0.7):
            close = get_close_matches(key, candidates, n=1, cutoff=cutoff)
            if close:
                return close[0]
        return ""


# --- words -----------------------------------------------------------------------------------


def _by_place(
    wanted: Mapping[str, Wanted], keys: Sequence[str]
) -> Iterator[tuple[Span, list[str]]]:
    """Keys by the place of their layer: a block used in ten places is one message."""
    places: dict[tuple[object, ...], tuple[Span, list[str]]] = {}
    for key in keys:
        span = wanted[key].span
        places.setdefault((span.source, span.start, span.end), (span, []))[1].append(key)
    return iter(places.values())


def _keys(keys: Sequence[str]) -> str:
    shown = [_short(key) for key in keys[:SHOWN]]
    if len(keys) > SHOWN:
        return f"{', '.join(shown)} and {len(keys) - SHOWN:,} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else "nothing"


def _is(keys: Sequence[str]) -> str:
    return "is" if len(keys) == 1 else "are"


def _short(key: str) -> str:
    return f"`{key if len(key) <= LONGEST_KEY else key[:LONGEST_KEY] + '...'}`"


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    more = [f"and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return (*lines[:SHOWN], *more)
