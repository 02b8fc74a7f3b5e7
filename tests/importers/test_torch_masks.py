"""What models for pictures do with masks, infinity and shares of samples, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from netdsl import DiagnosticError
from netdsl.diagnostics import Source, Span
from netdsl.importers.program import Call, Program, Region, Value
from netdsl.importers.settings import settle
from tests.importers import torch_masks
from tests.importers.torch_models import compare, import_of


def test_samples_are_dropped_by_any_name() -> None:
    one = compare(torch_masks.Dropping, "Dropping", sizes=((8, 9),), pairs=2, x=(3, "H", "W"))
    assert "drop_path(0.25)" in one.text


@pytest.mark.parametrize(
    ("kind", "share"),
    [(torch_masks.ScaledDropPath, (0.25,)), (torch_masks.NamelessDropPath, ())],
)
@pytest.mark.parametrize("p", [None, 0.0])
def test_a_name_alone_drops_nothing(kind: Any, share: Any, p: Any) -> None:
    given = share if p is None else (p,) * len(share)
    with pytest.raises(DiagnosticError, match="does otherwise than to drop whole samples"):
        import_of(lambda: torch_masks.Dropping(kind, given), "Net", x=(3, 8, 8))


def test_a_mask_of_windows_that_is_copied_for_all_samples() -> None:
    one = compare(torch_masks.WindowMask, "WindowMask", x=(4, 8))
    assert one.largest_difference < 1e-6
    assert "constant" in one.text


def test_learned_queries_are_the_same_for_all_samples() -> None:
    one = compare(torch_masks.Queries, "Queries", sizes=((3,), (7,)), pairs=0, x=("T", 8))
    assert one.is_open
    assert one.text.count("attend") == 2


def test_a_module_may_ask_for_numbers_that_are_known() -> None:
    one = compare(torch_masks.Asking, "Asking", x=(3, 12, 10))
    assert "clamp" not in one.text
    assert not compare(torch_masks.Asking, "Asking", x=(3, "H", "W")).is_open
    few = compare(lambda: torch_masks.Asking(11), "Asking", x=(3, 12, 10))
    assert "-> mul(2)" in few.text


def test_bounds_at_infinity_are_none() -> None:
    one = compare(torch_masks.Unbounded, "Unbounded", sizes=((9, 9),), pairs=2, x=(3, "H", "W"))
    assert "clamp(high=0.5) -> clamp(low=-0.25)" in one.text


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("softplus", "`softplus`: the language has no inf"),
        ("elu", "`elu`: the language has no nan"),
        ("pad", "`pad`: the language has no nan"),
        ("isfinite", "this works with which numbers are not finite"),
        ("add", "`add`: the language has no inf"),
    ],
)
def test_other_infinities_are_refused_at_their_line(kind: str, message: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        import_of(lambda: torch_masks.Without(kind), "Net", x=(3, "H", "W"))
    (one,) = caught.value.diagnostics
    assert message in one.message
    assert "torch_masks.py" in str(one.span)


def test_no_format_brings_infinity_into_a_text() -> None:
    span = Span(Source("a.cfg", "net"), 0, 3)
    x, y = Value("x"), Value("y")
    call = Call("clamp", {"low": float("-inf")}, [x], [y], span)
    program = Program("Net", Region((), "", span, items=[call]), [], [])
    with pytest.raises(DiagnosticError, match="`clamp`: the language has no -inf"):
        settle(program)
