"""How well scores separate two classes: average precision, area under the ROC curve, precision and recall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_LEVELS = 1024


@dataclass(frozen=True)
class Separation:
    """Figures of out-of-fold scores; the curve has about fifty points, taken from one for each score level."""

    average_precision: float
    roc_area: float
    recall: tuple[float, ...]
    precision: tuple[float, ...]


def separation(score: npt.NDArray[np.floating], target: npt.NDArray[np.bool_]) -> Separation:
    """Figures of scores 0 to 1 against the truth, counted in 1024 levels.

    Average precision is the sum over levels of (gain in recall) x precision, scikit-learn's definition. Worked example:
    scores .9 .8 .3 with truth 1 0 1 give 1/2 x 1 + 1/2 x 2/3 = 0.83.
    """
    level = np.minimum((np.asarray(score, np.float64) * _LEVELS).astype(np.int64), _LEVELS - 1)
    positive = np.bincount(level[target], minlength=_LEVELS)[::-1].cumsum().astype(np.float64)
    negative = np.bincount(level[~target], minlength=_LEVELS)[::-1].cumsum().astype(np.float64)
    recall, precision = positive / positive[-1], positive / np.maximum(positive + negative, 1)
    gain = np.diff(recall, prepend=0.0)
    false_rate = negative / max(negative[-1], 1)
    area = np.trapezoid(np.r_[0.0, recall], np.r_[0.0, false_rate])
    shown = np.unique(np.searchsorted(recall, np.linspace(0.02, 1, 50)).clip(max=_LEVELS - 1))
    return Separation(
        average_precision=float((gain * precision).sum()),
        roc_area=float(area),
        recall=tuple(recall[shown].tolist()),
        precision=tuple(precision[shown].tolist()),
    )
