"""What is done about a fault by its policy: the voxels are filled or masked, or the subvolume is quarantined."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from emseg.config.checks import ImageChecks, Policy
from emseg.segment.image_checks.fault import ImageFault, Slices
from emseg.segment.image_checks.runs import Flags, short_runs
from emseg.segment.protocol import Gray, Mask


@dataclass(frozen=True, eq=False)
class CheckedImage:
    """What the steps get: the grayscale, filled where it was faulty, and the voxels that may be segmented (`mask`).

    `findings` says for the name of each fault, in words, where it is and what was done.
    """

    gray: Gray
    mask: Mask
    quarantined: bool
    findings: dict[str, str]


def treated(
    image: CheckedImage, fault: ImageFault, damaged: Flags, checks: ImageChecks, inside: Slices
) -> CheckedImage:
    """The image after the policy of a fault; only voxels `inside` count for the findings and for quarantine.

    Filling never looks at voxels that are `damaged`.
    """
    policy: Policy = getattr(checks, fault.name.replace("-", "_"))
    where = fault.where
    gray, mask, done = image.gray, image.mask, "nothing done"
    if policy is Policy.FILL:
        short = short_runs(where, checks.fill_sections) & fault.of_sections
        gray, mask = filled(gray, short, damaged), mask & ~(where & ~short)
        parts = (("filled", short), ("masked", where & ~short))
        done = ", ".join(word for word, part in parts if part[inside].any())
    elif policy is Policy.MASK:
        mask, done = mask & ~where, "masked"
    elif policy is Policy.QUARANTINE:
        done = "quarantined"
    if not where[inside].any():
        return replace(image, gray=gray, mask=mask)
    quarantined = image.quarantined or policy is Policy.QUARANTINE
    findings = {**image.findings, fault.name: f"{fault.text(inside)}; {done}"}
    return CheckedImage(gray, mask, quarantined, findings)


def filled(gray: Gray, where: Flags, damaged: Flags) -> Gray:
    """`gray` with the voxels of `where` interpolated along Z between the nearest that are not `damaged`.

    Worked example: a column of gray 10, x, x, 40 becomes 10, 20, 30, 40; at an end the nearest is repeated. A column
    without any good voxel stays.
    """
    if not where.any():
        return gray
    y, x = np.nonzero(where.any(axis=0))
    sections, bad = np.arange(len(gray))[:, None], damaged[:, y, x]
    below = np.maximum.accumulate(np.where(bad, -1, sections), axis=0)
    above = np.minimum.accumulate(np.where(bad, len(gray), sections)[::-1], axis=0)[::-1]
    z, column = np.nonzero(where[:, y, x] & ((below >= 0) | (above < len(gray))))
    low, high, y, x = below[z, column], above[z, column], y[column], x[column]
    low, high = np.where(low < 0, high, low), np.where(high >= len(gray), low, high)
    share = (z - low) / np.maximum(high - low, 1)
    out = gray.copy()
    out[z, y, x] = np.rint(gray[low, y, x] * (1 - share) + gray[high, y, x] * share).astype(np.uint8)
    return out
