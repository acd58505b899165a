"""Components of bodies: those of scikit-image on the whole volume, however it is cut into cores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.component_oracle import components_named
from tests.refusals import refused

from emseg.errors import IntegrityError, PermanentError
from emseg.evaluate import (
    ComponentParts,
    Components,
    TruthComponents,
    TruthNames,
    contingency_table,
    parts_of,
    with_plane_before,
)
from emseg.geometry import Box, Grid

IDS = st.sampled_from([0, 1, 2, 2**40, 2**48 - 1])
START = (5, 60, 7)


def parts_in(bodies: np.ndarray, core_vox) -> tuple[np.ndarray, list[ComponentParts]]:
    """Parts of each voxel and the tables, core by core, each from no more voxels than it may have."""
    region = Box.of_shape(bodies.shape, START)
    grid, parts, tables = Grid(region, core_vox, (0, 0, 0)), np.zeros(bodies.shape, np.uint64), []
    for number in range(grid.shape.product):
        core = grid.subvolume(number).core
        given_vox = bodies[with_plane_before(core, region).slices(START)]
        parts[core.slices(START)], table = parts_of(given_vox, core, region)
        tables.append(ComponentParts.from_arrow(table.to_arrow()))
    return parts, tables


def joined_in(bodies: np.ndarray, core_vox, order=None) -> np.ndarray:
    """Component of each voxel."""
    parts, tables = parts_in(bodies, core_vox)
    components = Components.of(tables if order is None else [tables[i] for i in order(len(tables))])
    known = parts != 0
    found = np.zeros(bodies.shape, np.uint64)
    found[known] = components.component[np.searchsorted(components.part, parts[known])]
    assert np.array_equal(components.bodies_of(found[known]), bodies[known])
    return found


VOLUMES = hnp.arrays(np.uint64, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7), elements=IDS)
CORES = st.tuples(*[st.integers(1, 8)] * 3)


@given(VOLUMES, CORES, st.integers(0, 99))
def test_any_cut_gives_the_components_of_the_whole(bodies, core_vox, seed):
    """Oracle: scikit-image. Kills 26-connectivity, a face that is forgotten, an order of cores that counts."""
    found = joined_in(bodies, core_vox, np.random.default_rng(seed).permutation)
    assert np.array_equal(found, components_named(bodies))


@pytest.mark.parametrize("core_vox", [(64, 64, 64), (7, 40, 16), (3, 2, 50), (13, 13, 13)])
@pytest.mark.parametrize("values", [2, 4, 12])
def test_noise_whose_components_wind_through_many_cores(core_vox, values):
    """Kills joins of neighbours alone, without the components that meet again further on."""
    bodies = np.random.default_rng(values).integers(0, values, (26, 40, 50)).astype(np.uint64)
    assert np.array_equal(joined_in(bodies, core_vox), components_named(bodies))


def test_a_row_of_voxels_in_two_cores_is_one_component():
    """The worked example of the module."""
    bodies = np.full((1, 1, 6), 7, np.uint64)
    region = Box.of_shape((1, 1, 6))
    cores = [Box((0, 0, 0), (1, 1, 3)), Box((0, 0, 3), (1, 1, 6))]
    tables = [parts_of(bodies[with_plane_before(core, region).slices()], core, region)[1] for core in cores]
    rows = [(p, m, b) for table in tables for p, m, b in zip(*(c.tolist() for c in table.columns), strict=True)]
    assert rows == [(1, 1, 7), (1, 3, 7), (4, 4, 7), (4, 3, 7)]
    assert Components.of(tables).component.tolist() == [1, 1]


def test_bodies_that_meet_over_an_edge_or_beside_another_body_stay_apart():
    """Kills joins over edges, and joins of two bodies that share a face of two cores."""
    bodies = np.zeros((2, 2, 2), np.uint64)
    bodies[0, 0, 0] = bodies[1, 1, 0] = 3
    bodies[0, 0, 1] = 4
    for core_vox in ((2, 2, 2), (1, 1, 1)):
        assert len(np.unique(joined_in(bodies, core_vox))) == 1 + 3


def test_a_table_of_parts_becomes_one_of_components_with_the_same_voxels():
    """Kills rows that are not added where two parts of one core are one component."""
    bodies = np.array([[[7, 0, 7, 9], [7, 7, 7, 0]]], np.uint64)
    parts, tables = parts_in(bodies, (1, 1, 1))
    found = Components.of(tables).measured(contingency_table(np.ones_like(bodies), parts))
    assert found == contingency_table(np.ones_like(bodies), components_named(bodies))
    with refused(IntegrityError, "components", "1 labels"):
        Components.of(tables).measured(contingency_table(np.array([1]), np.array([4711])))


def test_the_label_of_a_component_tells_its_body_and_its_first_voxel():
    """The worked example of `TruthNames`; at scale 2 the place is that of scale 0."""
    region = Box.of_shape((3, 4, 5), (10, 20, 30))
    joined = Components(*(np.array([each], np.uint64) for each in (8, 8, 7)))
    names = TruthNames(TruthComponents(joined, region, scale=0))
    assert names.told(8) == "component at Z 10, Y 21, X 32 of body 7"
    assert TruthNames(TruthComponents(joined, region, scale=2)).first_vox(8) == (40, 84, 128)
    assert (names.body(8), TruthNames().told(8), TruthNames().first_vox(8)) == (7, "body 8", None)


def test_a_region_whose_voxels_cannot_be_numbered_is_refused():
    """Kills numbers that begin again at 0, so that far components are one."""
    core = Box((0, 0, 0), (1, 1, 1))
    with refused(PermanentError, "components", "coarser scale"):
        parts_of(np.ones((1, 1, 1), np.uint64), core, Box((0, 0, 0), (2**21, 2**21, 2**21)))
