"""What people are told of the labels that a segmentation is measured against: bodies, or components of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emseg.array_types import Ids
from emseg.config.base import Position3
from emseg.evaluate.components import Components
from emseg.evaluate.contingency import ContingencyTable
from emseg.geometry import Box


@dataclass(frozen=True, eq=False)
class TruthComponents:
    """Components of a region, which is a box of voxels of `scale`."""

    joined: Components
    region: Box
    scale: int


@dataclass(frozen=True, eq=False)
class TruthNames:
    """Names of labels of the ground truth in a contingency table. Without `components` they are the bodies.

    Example: label 8 of a region of 3 x 4 x 5 voxels from (10, 20, 30) on is the component of body 7 whose first voxel
    is (10, 21, 32). It is told as `component at Z 10, Y 21, X 32 of body 7`.
    """

    components: TruthComponents | None = None

    def measured(self, table: ContingencyTable) -> ContingencyTable:
        """A stored table, whose ground truth are bodies or parts of components, as one of bodies or components."""
        return table if self.components is None else self.components.joined.measured(table)

    def bodies(self, labels: Ids) -> Ids:
        """The body that each label is of."""
        return labels if self.components is None else self.components.joined.bodies_of(labels)

    def body(self, label: int) -> int:
        """The body of one label."""
        return int(self.bodies(np.array([label], np.uint64))[0])

    def first_vox(self, label: int) -> Position3 | None:
        """The first voxel of a component, ZYX of scale 0; None for a body."""
        if self.components is None:
            return None
        region = self.components.region
        steps = np.unravel_index(label - 1, region.shape)
        z, y, x = ((int(step) + at) << self.components.scale for step, at in zip(steps, region.start, strict=True))
        return z, y, x

    def told(self, label: int) -> str:
        """In a sentence."""
        return told(self.body(label), self.first_vox(label))

    def all_told(self, labels: Sequence[int]) -> str:
        """Several in a sentence: `bodies 5, 6`."""
        if self.components is None:
            return f"bodies {', '.join(map(str, labels))}"
        return ", ".join(self.told(label) for label in labels)


BODIES = TruthNames()
"""The labels are bodies."""


def told(body: int, component: Position3 | None) -> str:
    """A body, or the component of it that has its first voxel at a place."""
    if component is None:
        return f"body {body}"
    z, y, x = component
    return f"component at Z {z}, Y {y}, X {x} of body {body}"


def beginning(text: str) -> str:
    """The same at the beginning of a sentence."""
    return text[:1].upper() + text[1:]
