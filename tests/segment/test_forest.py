"""The compiled forest gives LightGBM's own answers, and refuses what it cannot evaluate."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.segment.forest import Forest


def booster(
    samples: int, features: int, trees: int, leaves: int, seed: int, **more
) -> tuple[lightgbm.Booster, np.ndarray]:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(0, 1, (samples, features)).astype(np.float32)
    matrix[:, 0] = np.round(matrix[:, 0])  # many values that equal a threshold
    target = (matrix[:, 0] + matrix[:, -1] ** 2 + rng.normal(0, 0.5, samples) > 0.5).astype(np.float32)
    parameters = {"objective": "binary", "num_leaves": leaves, "verbose": -1, "min_data_in_leaf": 3, **more}
    return lightgbm.train(parameters, lightgbm.Dataset(matrix, target), trees), matrix


@settings(max_examples=20)
@given(
    samples=st.integers(50, 900),
    features=st.integers(1, 9),
    trees=st.integers(1, 12),
    leaves=st.integers(2, 32),
    seed=st.integers(0, 10**6),
)
def test_probabilities_are_those_of_lightgbm(samples, features, trees, leaves, seed):
    """Kills thresholds rounded the wrong way, leaves in another order, and a last block that is not full."""
    made, matrix = booster(samples, features, trees, leaves, seed)
    found = Forest.from_text(made.model_to_string(), "test").predict(np.ascontiguousarray(matrix.T))
    assert np.abs(found - made.predict(matrix)).max() < 1e-6


def test_a_forest_of_single_leaves_gives_their_odds():
    """Kills a tree without a split that is skipped: constant features leave LightGBM nothing to split by."""
    target = np.array([1.0] * 30 + [0.0] * 10, np.float32)
    data = lightgbm.Dataset(np.zeros((40, 2), np.float32), target)
    made = lightgbm.train({"objective": "binary", "verbose": -1}, data, 3)
    found = Forest.from_text(made.model_to_string(), "test").predict(np.zeros((2, 5), np.float32))
    assert np.allclose(found, made.predict(np.zeros((5, 2)))[0], atol=1e-6)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", "`tree`"),
        ("tree\nobjective=binary sigmoid:1\n", "`end of trees`"),
        ("tree\nobjective=regression\n\nend of trees\n", "'regression'"),
    ],
)
def test_text_that_is_no_binary_forest_is_refused(text, value):
    with refused(PermanentError, "test", value):
        Forest.from_text(text, "test")


def test_a_torn_model_and_one_with_too_many_leaves_are_refused():
    """Kills evaluating half of a file, and bits that run over."""
    made, _ = booster(900, 4, 5, 63, 1)
    with refused(PermanentError, "test", 32):
        Forest.from_text(made.model_to_string(), "test")
    whole = booster(300, 4, 5, 8, 1)[0].model_to_string()
    for cut in range(20, len(whole.partition("end of trees")[0]), 97):
        with refused(PermanentError, "test"):
            Forest.from_text(whole[:cut], "test")


def line(text: str, name: str, *first: str) -> str:
    """`text` whose first line `name=...` begins with other values."""
    head, _, rest = text.partition(f"\n{name}=")
    values, _, tail = rest.partition("\n")
    return f"{head}\n{name}={' '.join([*first, *values.split()[len(first) :]])}\n{tail}"


@pytest.mark.parametrize(
    ("wrong", "values"),
    [
        (lambda text: line(text, "split_feature", "999"), (999, 4)),
        (lambda text: line(text, "split_feature", "-5"), (-5, 4)),
        (lambda text: line(text, "threshold", "nan"), ("threshold", "nan")),
        (lambda text: line(text, "threshold", "0.5 0.5"), ("7 features", "8 thresholds")),
        (lambda text: line(text, "left_child", "0"), ("left_child", "right_child")),
        (lambda text: line(text, "left_child", "99"), ("left_child", "right_child")),
        (lambda text: line(text, "left_child", "-1", "-1", "-1"), ("left_child", "right_child")),
        (lambda text: line(text, "leaf_value", "nan"), ("leaf", "nan")),
        (lambda text: line(text, "leaf_value", "inf"), ("leaf", "inf")),
        (lambda text: line(text, "decision_type", "10"), ("decision_type=10",)),
        (lambda text: line(text, "decision_type", "1"), ("decision_type=1",)),
        (lambda text: text.replace("sigmoid:1", "sigmoid:2"), ("'binary sigmoid:2'",)),
        (lambda text: text.replace("objective=", "average_output\nobjective=", 1), ("average_output",)),
        (lambda text: text.replace("is_linear=0", "is_linear=1"), ("is_linear=1",)),
    ],
)
def test_a_model_changed_by_hand_is_refused_before_compiled_code_follows_it(wrong, values):
    """Kills reads outside arrays, endless walks, NaN probabilities and trees that mean something else."""
    text = booster(400, 4, 3, 8, 0)[0].model_to_string()
    assert wrong(text) != text
    with refused(PermanentError, "test", *values):
        Forest.from_text(wrong(text), "test")


@pytest.mark.parametrize("features", [np.zeros((3, 9), np.float32), np.zeros((4, 9)), np.zeros(4, np.float32)])
def test_features_of_another_shape_or_type_are_refused(features):
    """Kills reading beyond the features that are there."""
    forest = Forest.from_text(booster(200, 4, 3, 8, 1)[0].model_to_string(), "test")
    with refused(PermanentError, f"{features.dtype} {features.shape}", "4 features"):
        forest.predict(features)
