"""Each fault is found where it is, by its name and no other; clean tissue has none; what is done is what was asked."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from emseg.config.checks import ImageChecks, Policy
from emseg.geometry import Box
from emseg.segment.image_checks.checks import checked_image, context
from emseg.segment.image_checks.texture import texture_statistics
from emseg.segment.image_checks.treatment import filled
from emseg.synthetic import make_volume

ISOTROPIC = (10.0, 10.0, 10.0)
POLICIES = [name for name in ImageChecks.model_fields if name != "fill_sections"]
NO_CHECKS = ImageChecks(**dict.fromkeys(POLICIES, "go-on"))


@pytest.fixture(scope="module")
def clean():
    return make_volume((72, 96, 88), seed=5).grayscale


def looked_at(gray, checks=None, texture=None, voxel_size_nm=ISOTROPIC):
    return checked_image(gray, np.ones(gray.shape, bool), voxel_size_nm, checks or ImageChecks(), texture)


def missing(gray, rng):
    gray[30] = 12


def duplicated(gray, rng):
    gray[30] = gray[29]


def darker(gray, rng):
    gray[30] = gray[30] * 0.6


def flatter(gray, rng):
    gray[30] = 128 + (gray[30].astype(float) - 128) * 0.4


def shifted(gray, rng):
    gray[30] = np.roll(gray[30], (5, -4), (0, 1))


def noisy(gray, rng):
    gray[30] = np.clip(gray[30] + rng.normal(0, 45, gray[30].shape), 0, 255)


FAULTS = {
    "missing-section": missing,
    "duplicated-section": duplicated,
    "contrast-jump": darker,
    "shifted-section": shifted,
    "noise-burst": noisy,
}


def test_clean_tissue_has_no_finding_and_is_not_touched(clean):
    image = looked_at(clean, texture=texture_statistics([clean], ISOTROPIC))
    assert image.findings == {}
    assert np.shares_memory(image.gray, clean)
    assert np.array_equal(image.gray, clean)
    assert image.mask.all()
    assert not image.quarantined


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.fault("F17")
def test_a_bad_section_is_named_placed_and_filled(clean, name):
    """Kills a fault that is found in the sections beside it too, or under two names."""
    gray = clean.copy()
    FAULTS[name](gray, np.random.default_rng(1))
    image = looked_at(gray, texture=texture_statistics([clean], ISOTROPIC))
    assert list(image.findings) == [name]
    assert image.findings[name].startswith("sections 30 of 72")
    assert image.findings[name].endswith("filled")
    assert image.mask.all()
    between = (gray[29].astype(int) + gray[31]) / 2
    assert np.abs(image.gray[30] - between).max() <= 0.5
    assert np.array_equal(np.delete(image.gray, 30, axis=0), np.delete(gray, 30, axis=0))


def test_loss_of_contrast_is_a_contrast_jump_too(clean):
    gray = clean.copy()
    flatter(gray, None)
    assert list(looked_at(gray).findings) == ["contrast-jump"]


@pytest.mark.parametrize("name", FAULTS)
def test_policies_are_obeyed(clean, name):
    gray = clean.copy()
    FAULTS[name](gray, np.random.default_rng(1))
    field = name.replace("-", "_")
    go_on = looked_at(gray, NO_CHECKS)
    assert list(go_on.findings) == [name]
    assert np.array_equal(go_on.gray, gray)
    assert go_on.mask.all()
    masked = looked_at(gray, ImageChecks(**{field: Policy.MASK}))
    assert np.flatnonzero(~masked.mask.any(axis=(1, 2))).tolist() == [30]
    assert looked_at(gray, ImageChecks(**{field: Policy.QUARANTINE})).quarantined


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_first_section_of_a_halo_is_seen_from_its_context(clean, name):
    """Kills checks of the padded box alone, where there is nothing on one side to compare its rim with."""
    gray = clean.copy()
    FAULTS[name](gray, np.random.default_rng(1))
    bounds = Box.of_shape(gray.shape)
    padded = Box((30, 0, 0), gray.shape)
    area = context(padded, bounds, ISOTROPIC)
    assert area == Box((0, 0, 0), gray.shape)
    image = checked_image(gray, np.ones(gray.shape, bool), ISOTROPIC, ImageChecks(), None, padded.slices(area.start))
    assert list(image.findings) == [name]
    assert image.findings[name].startswith("sections 0 of 42 ")
    assert image.gray.shape == padded.shape
    whole = looked_at(gray)
    assert np.array_equal(image.gray, whole.gray[30:])


def test_faults_outside_the_padded_box_are_not_its_findings(clean):
    """Kills a subvolume that is quarantined, or named in the report, for what its neighbours see."""
    gray = clean.copy()
    gray[30] = 12
    checks = ImageChecks(missing_section=Policy.QUARANTINE)
    inside = Box((34, 0, 0), gray.shape).slices()
    image = checked_image(gray, np.ones(gray.shape, bool), ISOTROPIC, checks, None, inside)
    assert image.findings == {}
    assert not image.quarantined
    assert np.array_equal(image.gray, gray[34:])


@pytest.mark.parametrize("halo_vox", [3, 8, 13])
def test_neighbours_mask_foreign_voxels_alike(halo_vox):
    """Kills a strip in a halo that is too thin to recognise: segments went through it and joined what is apart."""
    gray = make_volume((96, 96, 96), seed=7).grayscale
    texture = texture_statistics([gray], ISOTROPIC)
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(40, 40, 40)), 6)
    gray[12:52, 28:68, 28:68] = np.clip(128 + 35 * smooth / smooth.std(), 0, 255)
    bounds = Box.of_shape(gray.shape)
    whole = checked_image(gray, np.ones(gray.shape, bool), ISOTROPIC, ImageChecks(), texture)
    padded = Box((52 - halo_vox, 0, 0), gray.shape)
    area = context(padded, bounds, ISOTROPIC)
    part = np.ascontiguousarray(gray[area.slices()])
    image = checked_image(part, np.ones(part.shape, bool), ISOTROPIC, ImageChecks(), texture, padded.slices(area.start))
    assert not image.mask[:halo_vox, 28:68, 28:68].any()
    # Tiles at the rim of the context are smoothed without what lies beyond it.
    assert (image.mask != whole.mask[padded.slices()]).mean() < 0.02


@pytest.mark.parametrize(
    ("size_nm", "expected"),
    [(ISOTROPIC, Box((80, 0, 32), (144, 64, 128))), ((40.0, 8.0, 8.0), Box((92, 0, 20), (128, 60, 120)))],
)
def test_context_is_a_tile_more_on_a_lattice_inside_the_bounds(size_nm, expected):
    """By hand: 160 nm are 16 voxels of 10 nm, 4 of 40 nm and 20 of 8 nm."""
    assert context(Box((96, 10, 50), (124, 40, 100)), Box((0, 0, 0), (200, 70, 128)), size_nm) == expected


def test_a_run_too_long_to_be_filled_is_masked(clean):
    """Kills ten sections of invented tissue."""
    gray = clean.copy()
    gray[30:36] = 12
    image = looked_at(gray)
    assert np.flatnonzero(~image.mask.any(axis=(1, 2))).tolist() == list(range(30, 36))
    assert image.findings["missing-section"].endswith("; masked")


@pytest.mark.fault("F17")
def test_blank_and_saturated_regions_are_masked_and_not_the_tissue_beside_them(clean):
    gray = clean.copy()
    gray[16:48, 32:64, :32] = 0
    gray[48:, 64:, 48:80] = 255
    image = looked_at(gray)
    assert set(image.findings) == {"blank"} or set(image.findings) == {"blank", "saturated"}
    assert not image.mask[16:48, 32:64, :32].any()
    assert not image.mask[48:, 64:, 48:80].any()
    assert image.mask.mean() > 0.8


def test_overexposed_tissue_is_saturated(clean):
    gray = clean.copy()
    gray[16:48, 32:64, :32] = np.where(gray[16:48, 32:64, :32] > 90, 255, 60)
    image = looked_at(gray)
    assert list(image.findings) == ["saturated"]
    assert not image.mask[16:48, 32:64, :32].all()


@pytest.mark.fault("F17")
def test_tissue_unlike_the_training_data_is_masked_where_it_is(clean):
    """Kills a check that calls everything foreign, or nothing, and one that throws away the tissue beside it."""
    texture = texture_statistics([clean], ISOTROPIC)
    other = make_volume((72, 96, 88), seed=9).grayscale
    assert looked_at(other, texture=texture).findings == {}
    smooth = ndimage.gaussian_filter(np.random.default_rng(2).normal(0, 1, clean.shape), 6)
    foreign = np.clip(128 + 25 * smooth / smooth.std(), 0, 255).astype(np.uint8)
    gray = clean.copy()
    gray[:, :48] = foreign[:, :48]
    image = looked_at(gray, texture=texture)
    assert "foreign-texture" in image.findings
    assert image.mask[:, :48].mean() < 0.15
    assert image.mask[:, 80:].mean() > 0.95
    careful = ImageChecks(foreign_texture=Policy.QUARANTINE)
    assert looked_at(gray, careful, texture).quarantined
    assert looked_at(gray, careful, texture).mask[:, 64:].all()


def test_an_empty_mask_is_not_looked_at(clean):
    assert checked_image(clean, np.zeros(clean.shape, bool), ISOTROPIC, ImageChecks(), None).findings == {}


def test_filling_is_linear_and_repeats_the_nearest_at_an_end():
    """By hand: 10 x x 40 becomes 10 20 30 40; an end repeats its neighbour."""
    gray = np.array([9, 10, 200, 200, 40, 77], np.uint8).reshape(-1, 1, 1)
    faulty = np.array([True, False, True, True, False, True]).reshape(-1, 1, 1)
    assert filled(gray, faulty, faulty).ravel().tolist() == [10, 10, 20, 30, 40, 40]
    everything, nothing = np.ones(gray.shape, bool), np.zeros(gray.shape, bool)
    assert filled(gray, everything, everything).tolist() == gray.tolist()
    assert filled(gray, nothing, faulty) is gray


def test_filling_never_looks_at_other_damage():
    """By hand: the second of 10 x y 40 is filled, the third is damaged and masked: a third of the way, not halfway."""
    gray = np.array([10, 200, 255, 40], np.uint8).reshape(-1, 1, 1)
    where = np.array([False, True, False, False]).reshape(-1, 1, 1)
    damaged = np.array([False, True, True, False]).reshape(-1, 1, 1)
    assert filled(gray, where, damaged).ravel().tolist() == [10, 20, 255, 40]


def test_a_bad_part_of_a_section_is_filled_and_the_rest_of_it_kept(clean):
    """Kills a whole section that is invented because of a scratch in a corner of it."""
    gray = clean.copy()
    gray[30, :56, :56] = 12
    image = looked_at(gray)
    assert list(image.findings) == ["missing-section"]
    assert (image.gray[30, :56, :56] != 12).all()
    assert np.array_equal(image.gray[30, 72:], gray[30, 72:])


def test_a_part_that_moved_is_told_from_one_that_is_only_unlike(clean):
    """Kills a shift that is claimed for whatever differs: one part is moved, one comes from far away."""
    gray = clean.copy()
    gray[30, 16:80, 16:80] = clean[30, 21:85, 12:76]
    assert list(looked_at(gray).findings) == ["shifted-section"]
    gray = clean.copy()
    gray[30, 16:80, 16:80] = clean[50, 16:80, 16:80][::-1, ::-1]
    assert list(looked_at(gray).findings) in (["odd-section"], ["contrast-jump"])


def test_a_section_is_judged_by_both_sides(clean):
    """Kills good sections between two bad ones that are taken for the bad run, and tissue that only changes fast."""
    gray = clean.copy()
    rng = np.random.default_rng(1)
    for z in (28, 32):
        gray[z] = np.clip(gray[z] + rng.normal(0, 45, gray[z].shape), 0, 255)
    findings = looked_at(gray).findings
    assert list(findings) == ["noise-burst"]
    assert findings["noise-burst"].startswith("sections 28, 32 of 72")


@pytest.mark.parametrize("thinned", [2, 4])
def test_thick_sections_of_clean_tissue_have_no_finding(thinned):
    """Kills limits that hold for isotropic voxels only: neighbours at 20 and 40 nm differ much more than at 10 nm."""
    volume = make_volume((128, 160, 160), seed=6).grayscale[::thinned]
    assert looked_at(np.ascontiguousarray(volume), voxel_size_nm=(10.0 * thinned, 10.0, 10.0)).findings == {}


@pytest.mark.shared_data
@pytest.mark.parametrize("side", [64, 104, 250])
@pytest.mark.parametrize("thinned", [1, 2, 4])
def test_real_tissue_has_no_finding(shared_data, side, thinned):
    """Kills limits that were made for one volume or one distance of sections: every cut of both must be clean."""
    volumes = []
    for name in ("labelled-125x250x250", "unlabelled-250x250x250"):
        with np.load(shared_data / f"medulla/{name}.npz") as data:
            volumes.append(np.ascontiguousarray(data["grayscale"][::thinned]))
    voxel_size_nm = (10.0 * thinned, 10.0, 10.0)
    texture = texture_statistics(volumes[:1], voxel_size_nm)
    for volume in volumes:
        for corner in np.ndindex(*(-(-n // side) for n in volume.shape)):
            part = tuple(slice(c * side, (c + 1) * side) for c in corner)
            found = looked_at(np.ascontiguousarray(volume[part]), texture=texture, voxel_size_nm=voxel_size_nm)
            assert found.findings == {}, (part, volume.shape)
