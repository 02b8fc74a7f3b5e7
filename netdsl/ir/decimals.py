"""Exact factors as text."""

from __future__ import annotations

from fractions import Fraction


def decimal(number: Fraction) -> str:
    """A factor with the digits it was written with; a fraction where no decimal is exact."""
    if number.denominator == 1:
        return str(number.numerator)
    text = repr(float(number))
    return text if Fraction(text) == number else str(number)
