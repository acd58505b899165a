"""Each built-in step does what its docstring says, and looks no farther than the halo it declares."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from emseg.segment.protocol import Setting
from emseg.segment.steps.dt_watershed import DtWatershed, DtWatershedParameters
from emseg.segment.steps.empty_region import EmptyRegionMask, EmptyRegionParameters
from emseg.segment.steps.inverted_grayscale import InvertedGrayscale, InvertedGrayscaleParameters
from emseg.segment.steps.mean_boundary import MeanBoundary, MeanBoundaryParameters

ISOTROPIC = Setting((10.0, 10.0, 10.0))


def texture(shape, seed=0):
    """Blobs of all gray levels, some of them saturated."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2)
    return np.clip(128 + 60 * field / field.std(), 0, 255).astype(np.uint8)


def core_is_the_same(compute, gray, halo):
    """Whether a crop with `halo` around its core gives the core of the whole, and one with a voxel less does not."""
    whole = compute(gray)
    core = tuple(slice(20, n - 20) for n in gray.shape)

    def from_crop(margin):
        crop = tuple(slice(s.start - margin, s.stop + margin) for s in core)
        return compute(gray[crop])[tuple(slice(margin, margin + s.stop - s.start) for s in core)]

    # One rounding error apart is the same: vectorised filters add in another order at the ends of rows.
    return tuple(np.allclose(from_crop(margin), whole[core], rtol=0, atol=1e-6) for margin in (halo, halo - 1))


# empty-region


def test_a_blank_slab_is_left_out_to_its_last_voxel_and_dark_specks_are_kept():
    """Kills `gray == 0`, which would punch holes into saturated tissue, and erosion that leaves a rim of padding."""
    gray = np.full((12, 12, 12), 90, np.uint8)
    gray[:4] = 0
    gray[8, 5, 5:9] = 0
    gray[6:9, 0:3, 0:3] = 255
    mask = EmptyRegionMask(EmptyRegionParameters(), ISOTROPIC).mask(gray)
    expected = np.ones(gray.shape, bool)
    expected[:4] = expected[6:9, 0:3, 0:3] = False
    assert np.array_equal(mask, expected)


def test_the_worked_example_of_the_mask_holds():
    gray = np.array([0, 0, 0, 0, 7, 0, 0, 9], np.uint8).reshape(-1, 1, 1).repeat(5, 1).repeat(5, 2)
    mask = EmptyRegionMask(EmptyRegionParameters(), ISOTROPIC).mask(gray)
    assert mask[:, 2, 2].tolist() == [False] * 4 + [True] * 4


def test_the_halo_of_the_mask_is_enough():
    """Kills a declared halo that forgets that an opening looks twice."""
    gray = np.where(np.random.default_rng(2).random((46, 46, 46)) < 0.9, 0, 100).astype(np.uint8)
    step = EmptyRegionMask(EmptyRegionParameters(), ISOTROPIC)
    assert 0.02 < step.mask(gray).mean() < 0.98
    assert core_is_the_same(step.mask, gray, step.halo_vox[0]) == (True, False)


# inverted-grayscale


@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.6])
def test_the_halo_of_the_prediction_is_exact(sigma):
    """Kills normalising by the subvolume's own gray levels: neighbours would disagree in their overlap."""
    step = InvertedGrayscale(InvertedGrayscaleParameters(sigma_nm=10 * sigma), ISOTROPIC)
    same, same_with_less = core_is_the_same(
        lambda gray: step.predict(gray, np.ones(gray.shape, bool)), texture((50, 48, 52)), step.halo_vox[0]
    )
    assert same
    assert not same_with_less


def test_a_flat_image_has_the_probability_of_the_formula():
    """Kills light taken for boundary, and a width in other units: 1 / (1 + exp(-1)) = 0.731 at 12 levels below."""
    step = InvertedGrayscale(InvertedGrayscaleParameters(), ISOTROPIC)
    gray = np.full((9, 9, 9), 113, np.uint8)
    assert step.predict(gray, np.ones(gray.shape, bool)) == pytest.approx(0.7310586, abs=1e-5)


def test_padding_does_not_darken_the_tissue_beside_it():
    """Kills smoothing over the edge of the mask, which would draw a membrane along every blank region."""
    step = InvertedGrayscale(InvertedGrayscaleParameters(), ISOTROPIC)
    gray = np.full((20, 9, 9), 160, np.uint8)
    gray[:10] = 0
    mask = gray > 0
    assert step.predict(gray, mask)[mask].max() <= 0.5


# dt-watershed


def balls() -> tuple[np.ndarray, np.ndarray]:
    """Boundary probability of two balls that touch at a thin wall, and the true label of each voxel inside them."""
    z, y, x = np.mgrid[:21, :21, :41]
    first = (z - 10) ** 2 + (y - 10) ** 2 + (x - 10) ** 2 <= 81
    second = (z - 10) ** 2 + (y - 10) ** 2 + (x - 30) ** 2 <= 81
    return np.where(first | second, 0.05, 0.9).astype(np.float32), first + 2 * second


def test_two_balls_become_two_supervoxels_that_fill_the_mask():
    """Kills seeds at every plateau voxel, and boundary voxels left without a label."""
    probability, truth = balls()
    found = DtWatershed(DtWatershedParameters(), ISOTROPIC).supervoxels(probability, np.ones(truth.shape, bool))
    assert found.dtype == np.uint32
    assert found.min() > 0
    assert [len(np.unique(found[truth == k])) for k in (1, 2)] == [1, 1]
    assert found[10, 10, 10] != found[10, 10, 30]


def test_nothing_is_labelled_outside_the_mask_and_a_seedless_island_keeps_a_label():
    """Kills flooding across padding, and islands of pure boundary that would read as masked."""
    probability, truth = balls()
    mask = truth > 0
    mask[0:2, 0:2, 0:2] = True
    found = DtWatershed(DtWatershedParameters(), ISOTROPIC).supervoxels(probability, mask)
    assert np.array_equal(found > 0, mask)
    assert len(np.unique(found[0:2, 0:2, 0:2])) == 1
    assert found[0, 0, 0] not in found[truth > 0]


def test_supervoxels_below_the_least_size_go_to_their_neighbours():
    """Kills small supervoxels that are erased, not given to a neighbour."""
    probability, truth = balls()
    probability[:3, :3, :3] = 0.05
    mask = np.ones(truth.shape, bool)
    kept = DtWatershed(DtWatershedParameters(min_size_nm3=1), ISOTROPIC).supervoxels(probability, mask)
    merged = DtWatershed(DtWatershedParameters(min_size_nm3=3_000_000), ISOTROPIC).supervoxels(probability, mask)
    assert len(np.unique(kept)) == 3
    assert len(np.unique(merged)) == 2
    assert merged.min() > 0


def test_heights_and_seeds_of_the_core_do_not_depend_on_voxels_beyond_the_halo():
    """Kills dividing the distance by the largest one of the subvolume, and a halo without the smoothing."""
    step = DtWatershed(DtWatershedParameters(distance_cap_nm=60, smoothing_nm=10), ISOTROPIC)
    probability = texture((64, 60, 62), seed=4).astype(np.float32) / 255

    def heights_and_seeds(part):
        height, seeds = step._height_and_seeds(np.ascontiguousarray(part), part < 0.4)
        return height + 10 * (seeds > 0)

    assert step.halo_vox == (10, 10, 10)
    assert core_is_the_same(heights_and_seeds, probability, step.halo_vox[0])[0]
    assert not core_is_the_same(heights_and_seeds, probability, 3)[0]


@pytest.mark.parametrize("step", [InvertedGrayscale, DtWatershed])
def test_the_halo_is_a_length_and_not_a_number_of_voxels(step):
    """Kills sigmas in voxels: sections of 40 nm need a fourth of the voxels, pixels of 4 nm two and a half times."""
    z, y, x = step(step.Parameters(), Setting((40.0, 4.0, 4.0))).halo_vox
    (isotropic, *_) = step(step.Parameters(), ISOTROPIC).halo_vox
    assert z < isotropic < y == x
    assert abs(z * 40 - y * 4) <= 2 * 40 + 4


def test_thick_sections_give_the_supervoxels_of_the_same_tissue_in_cubic_voxels():
    """Kills distances and sizes in voxels: two balls 480 nm apart, at 40 x 4 x 4 nm, must stay two supervoxels."""
    size = np.array([40.0, 4.0, 4.0])
    where = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip((16, 100, 220), size, strict=True)), indexing="ij"))
    centres = np.array([[300.0, 200.0, 200.0], [300.0, 200.0, 680.0]])
    inside = [np.linalg.norm(where - c[:, None, None, None], axis=0) < 180 for c in centres]
    probability = np.where(inside[0] | inside[1], 0.05, 0.95).astype(np.float32)
    step = DtWatershed(DtWatershedParameters(), Setting((40.0, 4.0, 4.0)))
    labels = step.supervoxels(probability, np.ones(probability.shape, bool))
    assert [len(np.unique(labels[ball])) for ball in inside] == [1, 1]
    assert labels[inside[0]][0] != labels[inside[1]][0]


# mean-boundary


def slabs() -> tuple[np.ndarray, np.ndarray]:
    """Supervoxels 7, 3, 9 side by side; mean probability at the faces 0.2 and 0.8."""
    supervoxels = np.repeat(np.array([7, 7, 3, 3, 9, 9], np.uint32), 16).reshape(6, 4, 4)
    probability = np.zeros((6, 4, 4), np.float32)
    probability[1:3], probability[3:5] = 0.2, 0.8
    return supervoxels, probability


@pytest.mark.parametrize(("threshold", "joined"), [(0.1, [7, 3, 9]), (0.5, [3, 3, 9]), (0.9, [3, 3, 3])])
def test_slabs_are_joined_across_faces_below_the_threshold(threshold, joined):
    """Kills joining where the boundary is strong, and a mean over all voxels in place of those at the face."""
    supervoxels, probability = slabs()
    step = MeanBoundary(MeanBoundaryParameters(threshold=threshold), ISOTROPIC)
    found = step.agglomerate(np.zeros_like(supervoxels, np.uint8), probability, supervoxels)
    assert [len(np.unique(found[a : a + 2])) for a in (0, 2, 4)] == [1, 1, 1]
    assert found[::2, 0, 0].tolist() == joined


def test_bodies_are_not_joined_through_masked_voxels():
    """Kills label 0 as a node of the graph: everything that touches padding would become one body."""
    supervoxels, probability = slabs()
    supervoxels[2:4] = 0
    step = MeanBoundary(MeanBoundaryParameters(threshold=1.0), ISOTROPIC)
    found = step.agglomerate(np.zeros_like(supervoxels, np.uint8), probability, supervoxels)
    assert found[::2, 0, 0].tolist() == [7, 0, 9]
