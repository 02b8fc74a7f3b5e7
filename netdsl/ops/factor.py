"""What PyTorch makes of a factor: sizes by a product of doubles, places by its reciprocal."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

MOST = 2**28
"""Sizes that are spoken of lie below this."""
MANTISSA = 53
SCANNED = 100_000
SMALL_MAP = 128
"""Up to this height and width together, PyTorch's nearest cell of a map has rules of its own."""


def size_by(factor: Fraction, size: int) -> int:
    """The size as the language has it: `floor(size * factor)`."""
    return size * factor.numerator // factor.denominator


def torch_size(factor: Fraction, size: int) -> int:
    """The size that PyTorch works out: the product of doubles without its decimals."""
    return int(size * float(factor))


def is_as_torch(factor: Fraction) -> bool:
    """Whether the two sizes are proved to be the same at every size.

    A decimal and its double differ by less than a step of doubles, so for a denominator that is
    not huge they part at most where the exact product is whole and the double's falls short of it.
    """
    near = Fraction(float(factor))
    if (factor.numerator + factor.denominator) * MOST >= 2 ** (MANTISSA - 3):
        return False
    return near >= factor or not _falls_short(factor, (factor - near) / factor)


def _falls_short(factor: Fraction, missing: Fraction) -> bool:
    """Whether a whole product, less a part `missing` of it, is rounded to another double.

    Up to 2**n doubles lie 2**(n - 53) apart, so the product k becomes another from half of that
    divided by `missing` on. The whole products are the multiples of the numerator.
    """
    step, power = factor.numerator, 1
    while power <= MOST * factor:
        least = power / (missing * 2**MANTISSA)
        if (least // step + 1) * step <= 2 * power:
            return True
        power *= 2
    return False


def sizes_apart(factor: Fraction) -> Iterator[int]:
    """Sizes at which PyTorch's is another, from the smallest on; not without end."""
    if is_as_torch(factor):
        return
    huge = factor.denominator * MOST >= 2 ** (MANTISSA - 3)
    step = 1 if huge else factor.denominator
    for size in range(step, step * SCANNED, step):
        if torch_size(factor, size) != size_by(factor, size):
            yield size


def copied(factor: Fraction | None) -> int:
    """1 or 2 where maps of several cells may grow to exactly that many times their size by a
    factor that is no whole number, else 0: there PyTorch may copy cells in place of reckoning.
    """
    if factor is None:
        return 0
    whole = factor.numerator // factor.denominator
    return whole if whole in (1, 2) and 0 < factor - whole < Fraction(1, 2) else 0
