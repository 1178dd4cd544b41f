"""The one exception that users are meant to see, and near-miss suggestions for it."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something outside the code is wrong; the message is one line that names the value and the remedy."""


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return " (did you mean X?)" for the nearest of `options`, or an empty string when none is near."""
    nearest = difflib.get_close_matches(name, list(options), n=1)
    return f" (did you mean {nearest[0]}?)" if nearest else ""
