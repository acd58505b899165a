"""The compiled forest beside LightGBM's own prediction, one thread each, what the features of a pass cost, and caution.

Caution is measured on a made graph: regions in a line, each with contacts of random scores to about four of the next.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.data import labelled_em
from benchmarks.rows import Row
from benchmarks.side_by_side import side_by_side
from emseg.segment.boundary import normalised, tile_voxels
from emseg.segment.features import feature_tiles
from emseg.segment.forest import Forest
from emseg.segment.linkage import Caution, mean_linkage
from emseg.training.boundary import PARAMETERS
from emseg.training.lightgbm_text import COMMON
from emseg.training.presets import training_settings

VOXEL_SIZE_NM = (10.0, 10.0, 10.0)
SAMPLES = 100_000
REGIONS, CONTACTS, THRESHOLD, SMALL_NM = 50_000, 4, 0.4, 150.0


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
        *_linkage(),
    ]


def _linkage() -> list[Row]:
    """Mean linkage of many regions of 20 to 200 nm, plain and cautious."""
    rng = np.random.default_rng(0)
    first = np.arange(REGIONS).repeat(CONTACTS)
    pairs = np.stack([first, first + rng.integers(1, 300, len(first))], axis=1)
    edges = np.unique(pairs[pairs[:, 1] < REGIONS], axis=0)
    score, area = rng.random(len(edges)), rng.uniform(100, 5000, len(edges))
    caution = Caution(rng.uniform(20, 200, REGIONS) ** 3, SMALL_NM)
    compared = side_by_side(
        {
            "plain": lambda: mean_linkage(REGIONS, edges, score, area, THRESHOLD),
            "cautious": lambda: mean_linkage(REGIONS, edges, score, area, THRESHOLD, caution),
        },
        5,
    )
    name = f"made graph, {len(edges)} contacts"
    return [
        Row(f"{name}: mean linkage", compared.median_s("plain"), "CPU-s"),
        Row(f"{name}: cautious linkage's time beside it", compared.ratio("cautious", to="plain"), "x"),
    ]
