"""Amounts as Kubernetes writes them, ``500m`` or ``8Gi``, brought into the one form in which its API keeps them.

An amount that is written otherwise than it is kept looks changed for ever. The forms are those of
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal, localcontext

_FORM = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?P<unit>[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"": 0, "Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_LEAST = Decimal("1e-3")
"""What is less is rounded up."""
_MOST = Decimal(2**63 - 1)
_DIGITS = 40
"""Longer numbers are nobody's amount."""


def canonical(text: str) -> str:
    """Write an amount as the API keeps it: whole, in the largest unit that leaves no rest. Raises ``ValueError``."""
    found = _FORM.fullmatch(text)
    if not found or len(text) > _DIGITS:
        raise ValueError(f"{text!r} is no amount: 500m, 2 or 8Gi are needed")
    with localcontext(prec=3 * _DIGITS):
        return _written(found["number"], found["unit"] or "")


def _written(digits: str, unit: str) -> str:
    value = _value(Decimal(digits), unit)
    if not value:
        return "0"
    if unit.endswith("i") and abs(value) >= 1024 and value == value.to_integral_value():  # noqa: PLR2004
        return _binary(int(value))
    number, exponent = _decimal(value)
    if unit not in _DECIMAL and unit not in _BINARY:
        return f"{number}e{exponent}" if exponent else str(number)
    return f"{number}{next(name for name, power in _DECIMAL.items() if power == exponent)}"


def _value(number: Decimal, unit: str) -> Decimal:
    if unit in _DECIMAL:
        value = number.scaleb(_DECIMAL[unit])
    elif unit in _BINARY:
        value = number * 1024 ** _BINARY[unit]
    else:
        value = number.scaleb(max(-_DIGITS, min(_DIGITS, int(unit[1:]))))
    value = value.quantize(_LEAST, rounding=ROUND_UP) if value % _LEAST else value
    return max(-_MOST, min(_MOST, value))


def _binary(value: int) -> str:
    names = list(_BINARY)
    power = 0
    while value % 1024 == 0 and power < len(names) - 1:
        value, power = value // 1024, power + 1
    return f"{value}{names[power]}"


def _decimal(value: Decimal) -> tuple[int, int]:
    """A whole number, and the largest power of a thousand that it can be written with."""
    exponent = -3
    number = int(value.scaleb(3))
    while number % 1000 == 0 and exponent < max(_DECIMAL.values()):
        number, exponent = number // 1000, exponent + 3
    return number, exponent
