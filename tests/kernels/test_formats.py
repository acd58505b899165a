"""Constants of stored formats stay what they are, and vectors are as wide as the passes over them need."""

from emseg.kernels.lanes import LANES
from emseg.kernels.stream_format import CHOICES, CODES, GAPS, GROUP_VOX, LIST_CODE, LISTED, MASKS
from emseg.kernels.sub_blocks import BLOCK_VOX, SUB_BLOCKS, SUB_VOX


def test_constants_of_formats_are_those_of_everything_that_is_stored():
    """Kills a format that changes with the processor: blocks in DVID and labels in the object store would be lost."""
    assert (BLOCK_VOX, SUB_VOX, SUB_BLOCKS) == (64, 8, 512)
    assert (GROUP_VOX, LIST_CODE, [GAPS, MASKS, CHOICES, CODES, LISTED]) == (8, 7, [0, 1, 2, 3, 4])


def test_a_vector_holds_a_row_of_a_sub_block_and_a_group_of_the_codec():
    """What `block_encoder` and `label_streams` rely on; other widths need other passes, not other formats."""
    assert LANES == SUB_VOX == GROUP_VOX
