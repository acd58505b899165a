"""Contacts as forests of the agglomeration learn from them: those of one round, and of several rounds together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.segment.contact_features import contact_features
from emseg.training.joined_volume import Flags, JoinedVolume, Numbers


@dataclass(frozen=True, eq=False)
class Examples:
    """`features` is float32 (E, features), one row a contact; all others are (E,).

    `target` is True where the two regions belong to different bodies, and `usable` where that is known. `fold` is the
    place of the contact, `weight` what it counts in training.
    """

    features: npt.NDArray[np.float32]
    target: Flags
    usable: Flags
    fold: Numbers
    weight: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.target)

    def fault(self, least: int) -> str:
        """Why nothing can be learned, where fewer than `least` contacts teach nothing; empty where something can."""
        target = self.target[self.usable]
        found = f"{len(target)} contacts of known bodies"
        if len(target) < least:
            return f"{found}, fewer than {least}"
        if target.any() and not target.all():
            return ""
        return f"{found}, all of one class: either no two regions of one body touch, or no two bodies"


def examples_of(volumes: Sequence[JoinedVolume]) -> Examples:
    """All contacts of the volumes as they are in one round, one volume after the other.

    A large contact is surer and decides about more voxels, but is still one decision: it weighs the root of its area.
    The mean weight of a round is 1, so rounds of few large contacts do not outweigh rounds of many small ones.
    """
    target, usable = zip(*(volume.targets() for volume in volumes), strict=True)
    weight = np.sqrt(np.concatenate([volume.graph.contact_nm2 for volume in volumes]))
    return Examples(
        features=np.ascontiguousarray(np.concatenate([contact_features(v.graph) for v in volumes], axis=1).T),
        target=np.concatenate(target),
        usable=np.concatenate(usable),
        fold=np.concatenate([volume.fold for volume in volumes]),
        weight=weight / (weight.mean() if len(weight) else 1.0),
    )


def together(rounds: Sequence[Examples]) -> Examples:
    """Those of several rounds, in this order."""
    return Examples(
        *(np.concatenate([getattr(each, name) for each in rounds]) for name in Examples.__dataclass_fields__)
    )
