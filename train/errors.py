"""The one exception that users are meant to see, and what is said in it again and again."""

import difflib
import math
import operator
from collections.abc import Iterable, Mapping, Sequence


class UserError(Exception):
    """Something outside the code is wrong; the message is one line that names the value and the remedy."""


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return " (did you mean X?)" for the nearest of `options`, or an empty string when none is near."""
    nearest = difflib.get_close_matches(name, list(options), n=1)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error, cut to 160 characters; its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def listed(values: Sequence[object], most: int = 8) -> str:
    """Return the first `most` of some values, separated by commas, and "…" where there are more."""
    return ", ".join([*map(str, values[:most]), *["…"] * (len(values) > most)])


def check_ranges(settings: object, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Look whether numbers that come from flags are in their ranges; None is.

    Args:
        settings: a dataclass, its fields named as the flags.
        ranges: field, of a dataclass inside as `section.field`, → lowest and highest value.

    Raises:
        UserError: about the first that is not.
    """
    for name, (lowest, highest) in ranges.items():
        value = operator.attrgetter(name)(settings)
        if value is not None and not lowest <= value <= highest:
            limit = f"at least {lowest}" if highest == math.inf else f"in [{lowest}, {highest}]"
            raise UserError(f"--{name.replace('_', '-')} must be {limit}, not {value}")


def at_least(lowest: float, *names: str) -> dict[str, tuple[float, float]]:
    """Return ranges of several fields that have a lowest value alone."""
    return dict.fromkeys(names, (lowest, math.inf))
