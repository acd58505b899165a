"""Trains one forest with LightGBM, as text: the same for the same data, parameters and seed, with any thread count."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.errors import PermanentError

COMMON: dict[str, Any] = {
    "objective": "binary",
    "max_bin": 127,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
    "num_threads": 1,  # on a shared core several threads mostly wait for each other
}


def trained(
    features: npt.NDArray[np.float32],
    target: npt.NDArray[np.bool_],
    names: tuple[str, ...],
    parameters: dict[str, Any],
    trees: int,
    seed: int,
    weight: npt.NDArray[np.floating] | None = None,
) -> str:
    """LightGBM's text of a forest; `features` is (samples, features), `target` True for the class that is scored."""
    try:
        import lightgbm
    except OSError as error:
        raise PermanentError(
            "loading LightGBM", "its compiled library", str(error), "Install OpenMP: apt-get install libgomp1"
        ) from error
    data = lightgbm.Dataset(features, target.astype(np.float32), weight=weight, feature_name=list(names))
    booster = lightgbm.train({**COMMON, **parameters, "seed": seed}, data, num_boost_round=trees)
    # The text ends with the parameters of the training, the thread count among them; evaluation needs none of them.
    text: str = booster.model_to_string()
    return text.partition("\nparameters:")[0].rstrip() + "\n"


def importances(text: str) -> dict[str, float]:
    """Share of each feature in the splits of a forest, largest first, without features that are never used."""
    _, _, section = text.partition("\nfeature_importances:\n")
    counts = dict(line.split("=") for line in section.splitlines() if "=" in line)
    total = sum(float(count) for count in counts.values()) or 1.0
    return {name: float(count) / total for name, count in counts.items()}
