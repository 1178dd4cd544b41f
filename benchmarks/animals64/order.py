"""The order of the paper's Table 2, and whether it reappears."""

import itertools
from collections.abc import Mapping

from benchmarks.animals64.settings import STUDENTS

# FID of TinyGAN-dw on 398 classes at 128 px, from the best to the worst.
PAPER_FID = {"student": 24.2, "no-real": 28.8, "no-feature": 54.4, "no-adversarial": 60.5, "pixel-only": 107.9}


def order_sentence(distances: Mapping[str, float], metric: str) -> str:
    """Say whether the rows of Table 2 come in the paper's order.

    Args:
        distances: row → distance to real images, lower is better; others than the paper's rows are ignored.
        metric: its name, such as FID-768.
    """
    rows = [name for name in PAPER_FID if name in distances]
    if len(rows) < len(PAPER_FID):
        lacking = ", ".join(STUDENTS[name][1] for name in PAPER_FID if name not in distances)
        return f"The order of the paper's Table 2 cannot be judged: there is no {metric} of {lacking}."

    def said(name: str) -> str:
        return f"{STUDENTS[name][1]} ({distances[name]:.4g})"

    best = min(rows, key=lambda name: distances[name])
    if best == rows[0]:
        first = f"{said(best)} has the best {metric}, as in the paper's Table 2"
    else:
        first = f"Not all terms but {said(best)} has the best {metric}; all terms has {distances[rows[0]]:.4g}"
    turned = [(a, b) for a, b in itertools.combinations(rows, 2) if distances[b] <= distances[a]]
    if not turned:
        return f"{first}, and all other rows are in its order too."
    pairs = "; ".join(f"{said(b)} is no worse than {said(a)}" for a, b in turned)
    return f"{first}. The order differs from the paper's in {len(turned)} of 10 pairs: {pairs}."
