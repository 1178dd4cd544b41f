"""Empty figures to draw into: matplotlib is needed for pictures alone."""

from typing import TYPE_CHECKING, Any

from train.commands import to_install
from train.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float, **options: Any) -> "Figure":
    """Return a figure of this size in inches, whose parts keep clear of each other.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(f"matplotlib is not installed; {to_install('compress')}") from None
    return Figure(figsize=(width, height), layout="constrained", **options)
