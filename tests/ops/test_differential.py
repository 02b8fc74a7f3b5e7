"""Every layer against PyTorch: the same shape, or both refuse, on hundreds of random settings."""

from __future__ import annotations

import warnings
from collections import Counter
from math import prod
from random import Random

import pytest

from netdsl.ir.condition import holds
from netdsl.ir.dim import evaluate, symbol
from netdsl.ir.tensor import Tensor
from netdsl.ops import registry
from netdsl.ops.base import Rules
from netdsl.ops.recipe import TorchModule
from netdsl.ops.refusal import Refusal
from tests.ops.settings import OF_VALUES, random_case

torch = pytest.importorskip("torch")

from tests.ops.factors import oracle  # noqa: E402
from tests.ops.realise import make_module, realise  # noqa: E402

CASES = 400
WITH_NUMBER = "add", "sub", "mul", "div", "pow", "greater", "less", "equal", "where"
STRICTER = {
    # a share is checked when it drops; a mask may add axes; keys and values may differ in number
    "attention": {"dropout", "mask", "in"},
    "attend": {"dropout", "mask", "in", "scale"},
    "lstm": {"start", "start_cell"},  # one alone is no start
    "conv": {"channels", "std"},  # PyTorch warns of 0 filters and goes on
    "conv_transpose": {"channels", "padding", "output_padding", "std"},
    "linear": {"features", "std"},
    "embedding": {"count", "features", "std"},
    "crop": {"size", "offset"},  # a slice past the end is shorter, without a word
    "center_crop": {"size"},
    "crop_or_pad": {"size"},  # a size of 0
    "crops": {"size", "n"},
    "letterbox": {"size", "fill", "in"},
    "random_resized_crop": {"size", "scale", "ratio", "crop", "in"},
    "random_flip": {"p"},  # used in training alone
    "slice": {"start", "stop", "in"},
    "pad": {"amount", "in"},  # negative amounts crop
    "pad_to": {"size"},  # as above
    "split": {"parts"},  # `chunk` gives fewer or unequal parts
    "adaptive_maxpool": {"size"},  # 0 bins
    "adaptive_avgpool": {"size"},
    "spp": {"levels", "in"},
    "normalize": {"mean", "std", "in"},
    "upsample": {"in", "align_corners", "size"},  # the recipe leaves the word out beside nearest
    "reshape": {"shape"},
    "resize": {"antialias"},  # which PyTorch refuses beside some modes only where it is true
    "to_float": {"in"},  # what is no image is not divided by 255
    "drop_path": {"p"},  # checked when it drops
    "window_attention": {"shift", "in", "heads", "window"},
    "prelu": {"count"},
    "layernorm": {"in", "axis"},  # the recipe takes one axis, or counts the last ones
    "rmsnorm": {"in", "axis"},
    "batchnorm": {"in"},
    "global_avgpool": {"in"},  # a mean over no axes is one over all
    "global_maxpool": {"in"},
    "lppool": {"p"},
    "lrn": {"size", "in"},
    "hardtanh": {"high"},
    "celu": {"alpha"},
    "channel_shuffle": {"in"},
    "channel_dropout": {"in"},
    # a list spreads an axis of 1 and any last axis; numbers that a type does not hold wrap round
    **{name: {"number"} for name in WITH_NUMBER},
    "where": {"number", "in"},  # PyTorch warns of conditions of uint8
    "clamp": {"low", "high"},
    "mean": {"in"},  # of several, that all are floats
    "norm": {"p"},
    "max_unpool": {"size", "padding", "stride", "kernel"},  # nothing checks the numbers below 1
    "maxpool": {"indices"},  # places of windows in the padding alone
}
"""Where a rule refuses, on purpose, what PyTorch lets through; by op, the fields at fault."""


NEED_FEATURES = {
    "attend", "attention", "gru", "layernorm", "linear", "lstm", "rmsnorm", "rnn",
    "window_attention",
}  # fmt: skip
"""Layers that need a known last axis."""


def torch_types(op, inputs, outputs):
    """The shapes and element types PyTorch gives for one sample, or None if it refuses."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            tensors = [torch.zeros((1, *t.shape), dtype=getattr(torch, t.dtype)) for t in inputs]
            result = realise(op.torch(inputs, outputs))(*tensors)
        except Exception:
            return None
    parts = result if isinstance(result, tuple | list) else [result]
    are_samples = [*(t.batched for t in outputs), *(True for _ in parts)]
    return [
        (tuple(part.shape)[is_sample:], str(part.dtype)[6:])
        for part, is_sample in zip(parts, are_samples, strict=False)
    ]


def our_answer(op, inputs):
    """The shapes by the rule, or the refusal."""
    try:
        outputs = op.infer(inputs, Rules())
        op.weights(inputs)
        return outputs
    except Refusal as refusal:
        return refusal


def is_stricter(name, op, refusal):
    """Whether a rule refuses on purpose what PyTorch lets through."""
    at = refusal.at.split("[")[0]
    crops = name == "conv" and at == "padding" and op.padding_mode != "zeros"  # below 0
    crops |= "pool" in name and isinstance(getattr(op, "padding", 0), str)  # it has no such words
    wraps = refusal.code == "wrong-dtype" and "would compute in uint8" in refusal.message
    return wraps or crops or at in STRICTER.get(name, ()) or refusal.code == "wrong-rank"


def check_setting(name, op, inputs):
    """Our answer must be PyTorch's: the same types, or both refuse. Returns what ours was."""
    answer = our_answer(op, inputs)
    if isinstance(answer, Refusal):
        if not is_stricter(name, op, answer):
            guess = tuple(Tensor(t.shape) for t in inputs[:1])
            assert torch_types(op, inputs, guess) is None, (op, inputs, answer.message)
        return f"refused at {answer.at}"
    types = [(tuple(t.shape), t.dtype) for t in answer]
    assert torch_types(op, inputs, answer) == types, (op, inputs)
    check_numbers(op, inputs, answer)
    return "accepted"


@pytest.mark.parametrize("name", OF_VALUES)
def test_shapes_and_refusals_are_those_of_pytorch(name, record_property):
    random = Random(f"netdsl {name}")
    op_type = registry()[name]
    seen: Counter[str] = Counter()
    for _ in range(CASES):
        op, inputs = random_case(op_type, random)
        seen[check_setting(name, op, inputs)] += 1
    record_property("histogram", dict(seen))
    print(f"{name}: {dict(seen.most_common())}")
    assert seen["accepted"] >= CASES * 0.05


def check_numbers(op, inputs, outputs):
    """Whether the recipe gives the numbers of PyTorch's own function, where there is one."""
    x = torch.rand((1, *inputs[0].shape))
    with torch.no_grad():
        own = oracle(op, x)
        if own is None:
            return False
        assert torch.equal(realise(op.torch(inputs, outputs))(x), own), (op, inputs)
    return True


def test_factors_give_the_numbers_of_pytorch():
    random, checked = Random("factors"), 0
    for _ in range(2 * CASES):
        op, inputs = random_case(registry()["upsample"], random)
        answer = our_answer(op, inputs)
        checked += not isinstance(answer, Refusal) and check_numbers(op, inputs, answer)
    assert checked > 0.1 * CASES


@pytest.mark.parametrize("name", OF_VALUES)
def test_symbolic_sizes_give_what_numbers_give(name):
    random = Random(f"symbols {name}")
    op_type = registry()[name]
    tried = 0
    for _ in range(150):
        op, inputs = random_case(op_type, random)
        names = ("D", "H", "W")
        values = {f"{n}{i}": size for i, t in enumerate(inputs)
                  for n, size in zip(names, t.shape[1:], strict=False)}  # fmt: skip
        symbolic = tuple(
            Tensor(
                (
                    *t.shape[:1],
                    *(
                        size if size == 1 else symbol(f"{n}{i}")
                        for n, size in zip(names, t.shape[1:], strict=False)
                    ),
                ),
                t.dtype,
            )
            for i, t in enumerate(inputs)
        )
        fixed, rules = our_answer(op, inputs), Rules()
        try:
            found = op.infer(symbolic, rules)
        except Refusal as refusal:
            known = refusal.code in ("needs-fixed-size", "wrong-rank", "bad-argument")
            assert known or isinstance(fixed, Refusal), (op, inputs, refusal.message)
            continue
        fits = all(holds(n.condition, values) for n in rules.needed if not n.training_only)
        if isinstance(fixed, Refusal):
            assert not fits, (op, inputs, fixed.message)
            continue
        tried += 1
        assert fits, (op, inputs, [n for n in rules.needed if not holds(n.condition, values)])
        shapes = [tuple(evaluate(s, values) for s in t.shape) for t in found]
        assert shapes == [t.shape for t in fixed]
    assert tried or name in NEED_FEATURES


@pytest.mark.parametrize("name", OF_VALUES)
def test_weights_are_those_of_the_module(name):
    random = Random(f"weights {name}")
    checked = 0
    for _ in range(200):
        op, inputs = random_case(registry()[name], random)
        answer = our_answer(op, inputs)
        if isinstance(answer, Refusal):
            continue
        recipe = op.torch(inputs, answer)
        specs = op.weights(inputs)
        if not isinstance(recipe, TorchModule):
            assert not specs
            continue
        module = make_module(recipe)
        ours = {s.key: (s.shape, s.dtype) for s in specs}
        theirs = {k: (tuple(v.shape), str(v.dtype)[6:]) for k, v in module.state_dict().items()}
        assert ours == theirs, op
        trained = sum(prod(s.shape) for s in specs if s.trained)
        assert trained == sum(p.numel() for p in module.parameters())
        checked += 1
    is_module = any(True for _ in registry()[name].torch.__code__.co_names if _ == "TorchModule")
    assert checked or not is_module


def test_most_refusals_of_pytorch_are_met():
    """At least 30 % of all cases are refused, so that agreeing on them says something."""
    refused = total = 0
    for name, op_type in sorted(registry().items()):
        random = Random(f"netdsl {name}")
        for _ in range(100):
            op, inputs = random_case(op_type, random)
            total += 1
            refused += isinstance(our_answer(op, inputs), Refusal)
    print(f"{refused} of {total} cases are refused")
    assert refused >= 0.3 * total
