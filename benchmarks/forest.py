"""The compiled forest beside LightGBM's own prediction, one thread each, and what the features of a pass cost."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.data import labelled_em
from benchmarks.rows import Row
from benchmarks.side_by_side import side_by_side
from emseg.segment.boundary import normalised, tile_voxels
from emseg.segment.features import feature_tiles
from emseg.segment.forest import Forest
from emseg.training.boundary import PARAMETERS
from emseg.training.lightgbm_text import COMMON
from emseg.training.presets import training_settings

VOXEL_SIZE_NM = (10.0, 10.0, 10.0)
SAMPLES = 100_000


def run() -> list[Row]:
    """CPU seconds for a million voxels, and the ratio; the two agree to single precision."""
    import lightgbm

    em = labelled_em()
    settings = training_settings("default").boundary
    (bank,) = settings.banks
    gray = np.ascontiguousarray(em.grayscale[:64, :160, :160])
    image = {"gray": normalised(gray, np.ones(gray.shape, bool), float(gray.mean()), float(gray.std()))}
    list(feature_tiles(image, bank, VOXEL_SIZE_NM, tile_voxels(gray.size)))
    started = time.process_time()
    tiles = list(feature_tiles(image, bank, VOXEL_SIZE_NM, tile_voxels(gray.size)))
    features_s = (time.process_time() - started) / gray.size * 1e6

    features = np.ascontiguousarray(np.concatenate([tile.features for tile in tiles], axis=1)[:, :SAMPLES])
    rows = np.ascontiguousarray(features.T)
    target = rows[:, 1] < np.median(rows[:, 1])
    data = lightgbm.Dataset(rows, target.astype(np.float32), feature_name=list(bank.names))
    booster = lightgbm.train({**COMMON, **PARAMETERS, "num_threads": 1}, data, num_boost_round=settings.trees)
    forest = Forest.from_text(booster.model_to_string(), "benchmark")
    compared = side_by_side(
        {"lightgbm": lambda: booster.predict(rows, num_threads=1), "compiled": lambda: forest.predict(features)}, 5
    )
    difference = np.abs(booster.predict(rows, num_threads=1) - forest.predict(features)).max()
    name = f"{em.name}, {settings.trees} trees"
    return [
        Row(f"{name}: compiled forest", compared.median_s("compiled") / SAMPLES * 1e6, "CPU-s/Mvoxel"),
        Row(f"{name}: LightGBM's time beside it", compared.ratio("lightgbm", to="compiled"), "x"),
        Row(f"{name}: largest difference of the two", float(difference), ""),
        Row(f"{em.name}, {len(bank.names)} features: computing them", features_s, "CPU-s/Mvoxel"),
    ]
