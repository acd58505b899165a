"""A boosted forest of decision trees, read from LightGBM's text and evaluated by compiled code.

A tree is evaluated with bit masks, not with branches: each node is compared for a whole block of voxels and clears the
leaves that cannot be reached; the first leaf that remains is the answer of the tree (QuickScorer: Lucchese et al.,
SIGIR 2015). The loops have no branch and no gather, so the compiler turns them into vector instructions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.errors import PermanentError
from emseg.kernels.compiled import compiled

MAX_LEAVES = 32
"""Leaves of one tree: one bit each."""

_BLOCK = 256
_CATEGORICAL, _MISSING = 0b0001, 0b1100
"""Bits of a decision type: whether it is by categories, and how missing values go (0 where training saw none)."""


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees one after the other: nodes `first_node[t]` to `first_node[t + 1]`, leaves from `first_leaf[t]` on.

    A node clears `~mask` where its feature is above the threshold. `values` are log-odds.
    """

    features: tuple[str, ...]
    first_node: npt.NDArray[np.int64]
    first_leaf: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint32]
    values: npt.NDArray[np.float64]

    @classmethod
    def from_text(cls, text: str, on: str) -> Forest:
        """The forest in LightGBM's text format; `on` names it in errors.

        PermanentError for other objectives, categorical splits, splits that treat missing values apart, linear or
        averaged trees, trees of more than `MAX_LEAVES` leaves, or text that is not such a model.
        """
        try:
            header, *trees = list(_sections(text))
            _check_header(header, on)
            features = tuple(header["feature_names"].split(" "))
            return cls._of(features, [_tree(tree, len(features), on) for tree in trees])
        except (KeyError, ValueError, IndexError) as error:
            raise _unusable(on, f"not a LightGBM model ({type(error).__name__}: {error})") from None

    @classmethod
    def _of(cls, features: tuple[str, ...], trees: list[_Tree]) -> Forest:
        nodes = [len(tree.feature) for tree in trees]
        leaves = [len(tree.values) for tree in trees]
        return cls(
            features=features,
            first_node=np.concatenate([[0], np.cumsum(nodes)]).astype(np.int64),
            first_leaf=np.concatenate([[0], np.cumsum(leaves)]).astype(np.int64),
            feature=np.concatenate([tree.feature for tree in trees]).astype(np.int64),
            threshold=np.concatenate([tree.threshold for tree in trees]).astype(np.float32),
            mask=np.concatenate([tree.mask for tree in trees]).astype(np.uint32),
            values=np.concatenate([tree.values for tree in trees]).astype(np.float64),
        )

    def predict(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Probability, float32 (N,), of `features`: float32 (F, N), C-contiguous, in the order of `self.features`.

        Worked example: one tree with log-odds 0 gives 1 / (1 + exp(0)) = 0.5. PermanentError for another number of
        features.
        """
        if features.ndim != 2 or len(features) != len(self.features) or features.dtype != np.float32:
            raise PermanentError(
                "evaluating a forest",
                f"features {features.dtype} {features.shape}",
                f"the forest was trained on {len(self.features)} features",
                "Use the model with the features that it describes",
            )
        out = np.empty(features.shape[1], np.float32)
        _evaluate(features, self.first_node, self.first_leaf, self.feature, self.threshold, self.mask, self.values, out)
        return out


@dataclass(frozen=True, eq=False)
class _Tree:
    feature: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint32]
    values: npt.NDArray[np.float64]


def _sections(text: str) -> Iterator[dict[str, str]]:
    """`name=value` lines of the header and of each tree."""
    if not text.startswith("tree\n"):
        raise ValueError("it does not begin with `tree`")
    body, end, _ = text.partition("\nend of trees")
    if not end:
        raise ValueError("it has no line `end of trees`")
    for section in body.split("\nTree="):
        yield dict(line.partition("=")[::2] for line in section.splitlines())


def _check_header(header: dict[str, str], on: str) -> None:
    """PermanentError for forests whose answer is another function of the trees than 1 / (1 + exp(-sum))."""
    objective = header.get("objective", "missing")
    if objective.split() != ["binary", "sigmoid:1"]:
        raise _unusable(on, f"its objective is {objective!r}, not 'binary sigmoid:1'")
    if "average_output" in header:
        raise _unusable(on, "its trees are averaged (average_output), not added")


def _tree(section: dict[str, str], features: int, on: str) -> _Tree:
    values = np.array(section["leaf_value"].split(), np.float64)
    if int(section["num_leaves"]) != len(values) or len(values) > MAX_LEAVES:
        raise _unusable(on, f"a tree has {section['num_leaves']} leaves, and at most {MAX_LEAVES} can be used")
    if section.get("is_linear", "0") != "0":
        raise _unusable(on, f"a tree is linear (is_linear={section['is_linear']})")
    if not np.isfinite(values).all():
        raise ValueError(f"a leaf has the value {values[~np.isfinite(values)][0]}")
    if len(values) == 1:
        none = np.empty(0)
        return _Tree(none.astype(np.int64), none.astype(np.float32), none.astype(np.uint32), values)
    left, right = (np.array(section[name].split(), np.int64) for name in ("left_child", "right_child"))
    feature = np.array(section["split_feature"].split(), np.int64)
    threshold = np.array(section["threshold"].split(), np.float64)
    _check_splits(feature, threshold, left, right, features)
    for kind in map(int, section["decision_type"].split()):
        if kind & (_CATEGORICAL | _MISSING):
            raise _unusable(on, f"a split is by categories, or treats missing values apart (decision_type={kind})")
    order, cleared = _in_leaf_order(left, right)
    return _Tree(feature=feature, threshold=_below(threshold), mask=~cleared, values=values[order])


def _check_splits(
    feature: npt.NDArray[np.int64],
    threshold: npt.NDArray[np.float64],
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    features: int,
) -> None:
    """ValueError unless all splits make one tree: compiled code follows these numbers unchecked."""
    count = len(left)
    if not len(feature) == len(threshold) == len(right) == count:
        raise ValueError(f"{len(feature)} features, {len(threshold)} thresholds, {count} and {len(right)} children")
    if feature.min() < 0 or feature.max() >= features:
        raise ValueError(f"splits by features {feature.min()} to {feature.max()} of {features}")
    if np.isnan(threshold).any():
        raise ValueError("a threshold is nan")
    # LightGBM numbers a split after the one above it, so growing numbers also rule out circles.
    children = np.concatenate([left, right])
    above = np.tile(np.arange(count), 2)
    if (
        not np.array_equal(np.sort(children), np.r_[-count - 1 : 0, 1:count])
        or ((children >= 0) & (children <= above)).any()
    ):
        raise ValueError("left_child and right_child do not make one tree")


def _in_leaf_order(
    left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """Leaves from left to right, and for each node the bits of the leaves on its left side; child -1 is leaf 0."""
    order: list[int] = []
    cleared = np.zeros(len(left), np.uint32)

    def walk(child: int) -> None:
        if child < 0:
            order.append(-child - 1)
            return
        first = len(order)
        walk(int(left[child]))
        for leaf in range(first, len(order)):
            cleared[child] |= np.uint32(1 << leaf)
        walk(int(right[child]))

    walk(0)
    return np.array(order), cleared


def _below(threshold: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """The largest float32 that is not above: `x <= threshold` then means the same for every float32 x."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _unusable(on: str, found: str) -> PermanentError:
    return PermanentError("reading a forest", on, found, "Train the model again with this version of emseg")


@compiled
def _evaluate(features, first_node, first_leaf, feature, threshold, mask, values, out):  # type: ignore[no-untyped-def]
    """One block of voxels after the other, so that their features stay in the first cache."""
    count, voxels = features.shape
    block = np.zeros((count, _BLOCK), np.float32)
    left = np.empty(_BLOCK, np.uint32)
    lowest = np.empty(_BLOCK, np.float32)
    exponent = lowest.view(np.int32)
    total = np.empty(_BLOCK, np.float64)
    everything = np.uint32(0xFFFFFFFF)
    for start in range(0, voxels, _BLOCK):
        size = min(_BLOCK, voxels - start)
        for f in range(count):
            for i in range(size):
                block[f, i] = features[f, start + i]
        total[:] = 0
        for tree in range(len(first_node) - 1):
            left[:] = everything
            for node in range(first_node[tree], first_node[tree + 1]):
                limit, keep, x = threshold[node], mask[node], block[feature[node]]
                for i in range(_BLOCK):
                    left[i] &= keep if x[i] > limit else everything
            for i in range(_BLOCK):
                # The lowest bit as a power of two: its exponent in the float is the number of the leaf.
                lowest[i] = np.float32(left[i] & (~left[i] + np.uint32(1)))
            base = first_leaf[tree] - 127
            for i in range(_BLOCK):
                total[i] += values[base + (exponent[i] >> 23)]
        for i in range(size):
            out[start + i] = 1 / (1 + np.exp(-total[i]))
