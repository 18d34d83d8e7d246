"""Two environments side by side, as ``previewbot diff`` shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from previewbot.core.parity import Difference, Value


def compared(found: Sequence[Difference], left: str, right: str) -> Iterator[str]:
    """The lines that a person reads: a table of the differences, and that there are no others."""
    cells = [("", "", left, right)] if found else []
    cells += [(each.of, each.parameter, _show(each, each.left), _show(each, each.right)) for each in found]
    widths = [max(len(line[column]) for line in cells) for column in range(3)] if cells else []
    for line in cells:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        yield "  ".join((*padded, line[3])).rstrip()
    what = "Nothing else" if found else "Nothing"
    yield f"{what} differs between {left} and {right} of one commit, but for the values of secrets and references."


def _show(difference: Difference, value: Value) -> str:
    match value:
        case None:
            return "none" if difference.parameter == "backups" else "the operator's"
        case bool():
            return "on" if value else "off"
        case _:
            return str(value)
