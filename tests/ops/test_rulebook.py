"""The remembered rule gives what the rule gives, also where settings are equal and not the same."""

from __future__ import annotations

from random import Random

import pytest

from netdsl.ir.tensor import Tensor
from netdsl.ops import registry
from netdsl.ops.refusal import Refusal
from netdsl.ops.rule import Rulebook, by_rule
from tests.ops.settings import random_case


def answer(rule, op, inputs):
    try:
        judged = rule(op, inputs)
    except Refusal as refusal:
        return refusal.message
    return judged.types, judged.weights, tuple(judged.needed)


def test_random_settings_asked_twice():
    random, book = Random("rulebook"), Rulebook()
    for op_type in registry().values():
        for _ in range(40):
            op, inputs = random_case(op_type, random)
            plain = answer(by_rule, op, inputs)
            assert answer(book, op, inputs) == plain
            assert answer(book, op, inputs) == plain


@pytest.mark.parametrize("numbers", [(1, 1.0), ((1, 1), (1.0, 1.0)), ((1, 2), (1, 2.0))])
def test_equal_numbers_of_other_types_are_told_apart(numbers):
    """`mul(1)` of whole numbers gives whole numbers, `mul(1.0)` gives floats."""
    book, x = Rulebook(), (Tensor((2, 3), "int64"),)
    mul = registry()["mul"]
    types = [book(mul(number), x).types[0].dtype for number in numbers]
    assert types == ["int64", "float32"]


def test_the_rule_is_asked_once(monkeypatch):
    conv, asked = registry()["conv"], []
    rule = conv.infer
    monkeypatch.setattr(conv, "infer", lambda *given: asked.append(1) or rule(*given))
    book = Rulebook()
    for _ in range(5):
        book(conv(4, 3), (Tensor((3, 9, 9)),))
    book(conv(4, 3), (Tensor((3, 9, 8)),))
    assert len(asked) == 2
