"""What the gate asks of a result: the part `gate` of a dataset file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from emseg.config.base import Name, Record

Worsening = Annotated[float | None, Field(ge=0)]
"""How much worse a figure may be, in its own unit; `null`: it is not compared."""


class _Worsenings(Record):
    @property
    def compares(self) -> bool:
        """Whether there is anything to compare."""
        return any(value is not None for value in dict(self).values())


class Regression(_Worsenings):
    """How much worse than the served release a result may be, on the same ground truth and in the same region.

    Each field is named like the limit of `GatePolicy` that it goes with, or `vi`: VI split + merge. What all these
    numbers mean is in docs/datasets.md. All `null`: nothing is compared.
    """

    vi: Worsening = 0.05
    vi_split: Worsening = None
    vi_merge: Worsening = 0.1
    are: Worsening = 0.02
    largest_body_share: Worsening = 0.05
    assigned_share: Worsening = 0.02


class HistoryPolicy(Record):
    """How a result is held to the last results of its dataset that passed on the same ground truth and region.

    It may be worse than their median by `mads` median absolute deviations (as sigmas), or by what `regression` allows
    if that is more. Nothing is compared until there are `last` results; `mads: null` switches it off.
    """

    last: int = Field(default=8, ge=3, le=1000)
    mads: Worsening = 4.0


class EverywhereRegression(_Worsenings):
    """How much worse than the served release a result may be in what is counted over all of the volume.

    `bodies` and `body_size_um3` are judged by their growth: 1 is twice as much. The others are differences of shares.
    """

    bodies: Worsening = 1.0
    body_size_um3: Worsening = 1.0
    largest_body_share: Worsening = 0.1
    orphan_share: Worsening = 0.1
    seam_excess: Worsening = 0.1
    unlabelled_share: Worsening = 0.05
    failed_share: Worsening = None
    quarantined_share: Worsening = 0.05
    parked_share: Worsening = None


Bound = Annotated[float | None, Field(ge=0)]
"""The most that is allowed; `null`: the figure is told and kept, and has no limit."""
Share = Annotated[float | None, Field(ge=0, le=1)]
"""The same, of a share."""


class Everywhere(Record):
    """Limits of what is counted over all of the volume, with ground truth or without.

    Each limit is named like the figure of `emseg.evaluate.survey` that it is about.
    """

    bodies_max: Bound = None
    body_size_um3_max: Bound = None
    largest_body_share_max: Share = 0.5
    orphan_share_max: Share = None
    seam_excess_max: Share = 0.5
    unlabelled_share_max: Share = 0.9
    failed_share_max: Share = None
    quarantined_share_max: Share = 0.5
    parked_share_max: Share = None
    orphan_um3: float = Field(
        default=0.5, ge=0, le=1e9, description="Bodies up to this size are orphans if they reach no face of the volume"
    )
    regression: EverywhereRegression = EverywhereRegression()

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by the name of their figure."""
        named = {name.removesuffix("_max"): value for name, value in dict(self).items() if name.endswith("_max")}
        return {name: float(value) for name, value in named.items() if value is not None}


class FigurePolicy(Record):
    """What the gate asks of a figure that a dataset need not have; `null`: it is told and kept, and not judged."""

    limit: float | None = Field(default=None, ge=0, description="The most, or where more is better the least")
    regression: Worsening = Field(
        default=None, description="How much worse than the served release and the last results, in the figure's unit"
    )


class GatePolicy(Record):
    """Limits that a result must keep to be published; bits for VI, shares of all voxels for the others."""

    vi_split_max: float = Field(default=2.0, ge=0, description="Over-segmentation, bits")
    vi_merge_max: float = Field(default=1.0, ge=0, description="Under-segmentation, bits")
    are_max: float = Field(default=0.5, ge=0, le=1, description="Adapted Rand error")
    largest_body_share_max: float = Field(default=0.9, gt=0, le=1, description="Largest body, share of labelled voxels")
    assigned_share_min: float = Field(default=0.5, ge=0, le=1, description="Labelled share of the ground-truth voxels")
    subvolume_vi_max: float = Field(default=6.0, ge=0, description="VI split + merge of any one subvolume, bits")
    regression: Regression = Regression()
    history: HistoryPolicy = HistoryPolicy()
    everywhere: Everywhere = Everywhere()
    metrics: tuple[Name, ...] = Field(default=(), description="Metrics of allowed packages that measure the result")
    figures: dict[Name, FigurePolicy] = Field(
        default_factory=dict, description="By name, figures of edits, synapses, skeletons and plugins"
    )

    @property
    def measures_served(self) -> bool:
        """Whether the served release is measured against the ground truth, too."""
        return self.regression.compares or any(each.regression is not None for each in self.figures.values())

    @property
    def compares(self) -> bool:
        """Whether anything is compared with the served release."""
        return self.measures_served or self.everywhere.regression.compares

    @property
    def limits(self) -> dict[str, float]:
        """The limits of the result itself, by name."""
        return {name: value for name, value in dict(self).items() if isinstance(value, float)}
