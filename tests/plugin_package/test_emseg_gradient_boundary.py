"""What the author of a package runs."""

import pytest
from emseg_gradient_boundary import GradientBoundary, GradientBoundaryParameters

from emseg.authoring.conformance import check
from emseg.segment.protocol import Setting


@pytest.mark.parametrize("voxel_size_nm", [(10.0, 10.0, 10.0), (40.0, 4.0, 4.0)])
def test_the_step_keeps_the_promises_of_the_protocol(voxel_size_nm):
    check(GradientBoundary(GradientBoundaryParameters(), Setting(voxel_size_nm)))
