"""Lengths as files give them, in nanometres."""

from __future__ import annotations

from emseg.geometry.voxel_size import LARGEST_NM, SMALLEST_NM

NM_OF_UNIT = {
    "pm": 1e-3,
    "picometer": 1e-3,
    "å": 0.1,
    "angstrom": 0.1,
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometers": 1.0,
    "nanometre": 1.0,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "micrometers": 1e3,
    "micrometre": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
    "millimetre": 1e6,
    "cm": 1e7,
    "inch": 2.54e7,
    "m": 1e9,
    "meter": 1e9,
    "metre": 1e9,
}
"""Nanometres in a unit, by its name in small letters. `pixel`, `reference frame` and the like are no lengths."""


def in_nm(value: object, unit: object) -> float | None:
    """`value` in nm with 6 digits (files keep fractions); None where it is no size of a voxel in a real unit."""
    factor = NM_OF_UNIT.get(str(unit).strip().lower().replace("\\u00b5", "µ"))
    try:
        size_nm = float(str(value)) * (factor or 0)
    except ValueError:
        return None
    return float(f"{size_nm:.6g}") if SMALLEST_NM <= size_nm <= LARGEST_NM else None
