"""Guesses at what a person meant by a name that does not exist."""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterable

SHORT, LONG, LONGEST = 4, 7, 60
"""Below the first length a slip turns two letters round, no more; from the second on there may be
two slips; beyond the last none is looked for."""

SAME_PARAMETER = {
    "kernel_size": "kernel", "kernelsize": "kernel", "ksize": "kernel", "pool_size": "kernel",
    "kernel_shape": "kernel", "window": "kernel", "strides": "stride", "out_channels": "channels",
    "filters": "channels", "num_output": "channels", "out_planes": "channels",
    "out_features": "features", "units": "features", "num_groups": "groups", "use_bias": "bias",
    "negative_slope": "slope", "num_heads": "heads", "upscale_factor": "factor",
    "block_size": "factor", "dilation_rate": "dilation", "num_embeddings": "count",
    "embedding_dim": "features", "epsilon": "eps", "scale_factor": "scale", "output_size": "size",
    "drop_prob": "p", "dropout_ratio": "p", "num_parameters": "count", "local_size": "size",
    "downscale_factor": "factor", "track_running_stats": "track",
    "hidden_size": "hidden", "num_layers": "layers", "is_causal": "causal",
    "nonlinearity": "mode", "return_indices": "indices", "keepdim": "keep",
    "keepdims": "keep", "keep_dims": "keep", "ord": "p", "min": "low", "max": "high",
    "min_val": "low", "max_val": "high", "min_value": "low", "max_value": "high",
    "exponent": "number", "elementwise_affine": "affine",
}  # fmt: skip
"""Other names of parameters that mean the very same."""

LIKE_PARAMETER = {
    "size": "kernel", "pad": "padding", "alpha": "slope", "dim": "axis", "axes": "axis",
    "dims": "axis", "group": "groups",
    "rate": "p", "prob": "p", "factor": "scale", "interpolation": "mode", "n": "channels",
    "num_output": "features", "units": "hidden", "attention_mask": "mask", "dropout_p": "dropout",
    "kernel_initializer": "init", "weight_init": "init", "initializer": "init",
}  # fmt: skip
"""Names of parameters that mean nearly the same, or count otherwise."""

FUNCTIONS = {
    "sqrt": "write `x ** 0.5`", "pow": "write `x ** n`", "mod": "write `a % b`",
    "ceil_div": "write `ceil(a / b)`", "cdiv": "write `ceil(a / b)`", "range": "write `0..n`",
    "trunc": "write `int(x)`",
}  # fmt: skip
"""Functions of other languages that are written otherwise."""

ELSEWHERE = frozenset([*dir(math), *dir(builtins)])
"""Functions that mean something of their own elsewhere: none is a slip of one of ours."""

CONSTANTS = {
    "inf": "there is no infinity: the largest number of float32 is about `3.4e38`",
    "infinity": "there is no infinity: the largest number of float32 is about `3.4e38`",
    "nan": "every number is finite", "pi": "write 3.141592653589793",
    "True": "write `true`", "False": "write `false`",
    "None": "leave the argument out", "none": "leave the argument out",
    "null": "leave the argument out",
}  # fmt: skip
"""Words that are values in other languages."""

WORKED_OUT = "it is worked out from what comes in"
LEAVE_OUT = {
    "in_channels": WORKED_OUT, "in_features": WORKED_OUT, "in_planes": WORKED_OUT,
    "num_features": WORKED_OUT, "input_shape": "the `input` line of the net gives it",
    "input_dim": WORKED_OUT, "embed_dim": WORKED_OUT, "num_channels": WORKED_OUT,
    "inplace": "it does not change what is computed",
    "activation": "an activation is a stage: `-> relu`",
    "batch_first": "the batch is always the first axis", "input_size": WORKED_OUT,
    "kdim": WORKED_OUT, "vdim": WORKED_OUT, "key_dim": WORKED_OUT,
    "need_weights": "the weights of the attention are no result",
    "data_format": "channels come first", "dtype": "the `input` line of the net gives it",
    "device": "the module is moved as any other: `module.to(device)`",
    "name": "a stage is named by a label: `name: conv(...)`",
}  # fmt: skip
"""Parameters of other frameworks that a layer here does without, and why."""


def leave_out(parameter: str) -> str:
    """Why this parameter is not written here; empty where it is not known."""
    reason = LEAVE_OUT.get(parameter.lower(), "")
    return f"leave it out: {reason}" if reason else ""


def is_same(name: str, guess: str) -> bool:
    """Whether a guess is no guess: another spelling of the name, or a synonym."""
    return name.lower() == guess.lower() or SAME_PARAMETER.get(name.lower()) == guess


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """`did you mean `conv`?` by synonym, by case, or by a typo; empty if nothing is near."""
    names = sorted(candidates)
    guess = nearest(name, names)
    return asked([guess] if guess else near(name, names))


def function_help(name: str, candidates: Iterable[str]) -> str:
    """What to write for a function that is not there; empty if nothing is near."""
    if name in FUNCTIONS or name in ELSEWHERE:
        return FUNCTIONS.get(name, "")
    return did_you_mean(name, candidates)


def asked(guesses: Iterable[str]) -> str:
    """`did you mean `a` or `b`?`; empty without a guess."""
    names = " or ".join(f"`{guess}`" for guess in guesses)
    return f"did you mean {names}?" if names else ""


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The one known name that was most likely meant, or an empty string."""
    names = sorted(candidates)
    lower = name.lower()
    for synonyms in SAME_PARAMETER, LIKE_PARAMETER:
        if synonyms.get(lower) in names:
            return synonyms[lower]
    close = near(name, names)
    return close[0] if len(close) == 1 else ""


def near(name: str, candidates: Iterable[str], most: int = 3) -> list[str]:
    """The known names of which this is another case, else those a typo away, none nearer.

    Names that differ in a digit are different on purpose: `conv2` is no typo of `conv1`.
    """
    lower = name.lower()
    by_steps: dict[int, list[str]] = {}
    for other in sorted(candidates):
        steps = typos(lower, other.lower())
        if steps is not None:
            by_steps.setdefault(steps, []).append(other)
    best = by_steps[min(by_steps)] if by_steps else []
    return best if len(best) <= most else []


def typos(name: str, other: str) -> int | None:
    """How many slips of a finger lead from one to the other; None for more than a typo is."""
    if name == other:
        return 0
    length = min(len(name), len(other))
    limit = 2 if length >= LONG else 1
    if abs(len(name) - len(other)) > limit or length > LONGEST or _digits(name) != _digits(other):
        return None
    if length < SHORT and sorted(name) != sorted(other):
        return None
    steps = _distance(name, other)
    return steps if steps <= limit else None


def _digits(name: str) -> str:
    return "".join(letter for letter in name if letter.isdigit())


def _distance(name: str, target: str) -> int:
    """Letters put in, left out, changed, or turned round with the next one."""
    before: list[int] = []
    row = list(range(len(target) + 1))
    for i, letter in enumerate(name, 1):
        above, row = row, [i]
        for j, other in enumerate(target, 1):
            step = min(above[j] + 1, row[-1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == target[j - 2] and other == name[i - 2]:
                step = min(step, before[j - 2] + 1)
            row.append(step)
        before = above
    return row[-1]
