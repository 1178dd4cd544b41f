"""Inception Score (Salimans et al. 2016): exp of the mean divergence of p(class | image) from p(class)."""

import numpy as np
from scipy.special import xlogy

from train.errors import UserError

SPLITS = 10


def inception_score(probabilities: np.ndarray, splits: int = SPLITS) -> tuple[float, float]:
    """Return mean and standard deviation of the score over `splits` runs of consecutive images.

    Args:
        probabilities: [N, C] of any float type, each row sums to 1; in the order in which the images were drawn,
            with the classes mixed.
        splits: parts; the deviation is theirs, as in the authors' code, and no error of the mean.

    Raises:
        UserError: fewer than two images per split.
    """
    count = len(probabilities)
    if count < 2 * splits:
        raise UserError(
            f"the Inception Score in {splits} splits needs {2 * splits} images, there are {count}; draw more"
        )
    scores = []
    for split in range(splits):
        part = np.asarray(probabilities[split * count // splits : (split + 1) * count // splits], np.float64)
        marginal = part.mean(axis=0)
        # 0 log 0 is 0; where the marginal is 0, so is every probability of the class.
        divergence = (xlogy(part, part) - xlogy(part, marginal)).sum(axis=1)
        scores.append(np.exp(divergence.mean()))
    return float(np.mean(scores)), float(np.std(scores))
