"""Synthetic EM volumes with exact ground truth, for demos, tests and benchmarks without real data."""

from emseg.synthetic.volume import SyntheticVolume, make_volume

__all__ = ["SyntheticVolume", "make_volume"]
