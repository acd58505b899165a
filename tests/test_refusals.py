"""The helper by which tests look at refusals: a value must stand in the message as a whole word."""

from __future__ import annotations

import pytest
from tests.refusals import refused

from emseg.errors import PermanentError, TransientError

ERROR = PermanentError("reading", "volume 1", "40 voxels of (4, 5, 6), gate.vi_max = 1.5", "Use --out")


@pytest.mark.parametrize("values", [(), ("volume 1", 40), ((4, 5, 6), "gate.vi_max", "vi_max", 1.5), ("--out",)])
def test_values_that_are_in_the_message_pass(values):
    with refused(PermanentError, *values):
        raise ERROR


@pytest.mark.parametrize("values", [("volume 12",), (40, "voxel"), ("volume 1", 140), ((4, 5),)])
def test_a_value_that_is_missing_fails_the_test(values):
    """Kills a plain search for text, by which 40 is in 140 and any letter is in any message."""
    with pytest.raises(AssertionError), refused(PermanentError, *values):
        raise ERROR


def test_another_class_or_no_error_fails_the_test():
    with pytest.raises(PermanentError), refused(TransientError):
        raise ERROR
    with pytest.raises(pytest.fail.Exception), refused(PermanentError):
        pass
