"""The compiled pass that makes the parts of a DVID label block; its twin is `plain/block_encoder.py`.

It takes one sub-block after the other. `sub_block_labels.py` finds the labels of it, `sub_block_values.py` ranks them
and packs the values of the voxels; at the end the labels of all sub-blocks are ranked once more for the whole block.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from emseg.kernels.compiled import compiled
from emseg.kernels.sorting import ascending, index_in
from emseg.kernels.sub_block_labels import FEW, find_labels, room
from emseg.kernels.sub_block_values import id_of, pack, pack_two, rank, sort_and_pack, voxels_of
from emseg.kernels.sub_blocks import SUB_BLOCK_ROWS, SUB_BLOCK_VOXELS, SUB_BLOCKS, SUB_VOX, VOXELS, bits_of

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@compiled
def encoded_block(rows, ids):  # type: ignore[no-untyped-def]
    """The parts of a block: labels, voxels of each, and the labels, indices and values of the sub-blocks.

    `rows` are the (64, 64, 8) rows of eight uint32 or uint64 voxels, wherever they lie. Where `ids` is not None, voxel
    `n` becomes `ids[n]`: the ids are uint64, no two are equal, and `IndexError` is raised if there is none.

    It returns the labels of the block, uint64, ascending; the voxels of each, uint32; the number of labels of each of
    the 512 sub-blocks, uint16; the index, in the labels of the block, of every label of every sub-block, uint32,
    ascending in each; and the packed values, uint8.
    """
    numbers = np.empty(SUB_BLOCKS, np.uint16)
    sub_labels, counts = np.empty(VOXELS, np.uint64), np.empty(VOXELS, np.uint32)
    values = np.empty(SUB_BLOCKS * SUB_BLOCK_VOXELS * 9 // 8, np.uint8)
    value_words = values.view(np.uint64)
    others, found, mask_bytes = room()
    masks = mask_bytes.view(np.uint64)
    planes = np.empty((bits_of(FEW), SUB_VOX), np.uint64)
    total, at = 0, 0
    # Helpers get whole arrays and an index: to cut a slice counts references, which takes as long as several rows.
    for sub in range(SUB_BLOCKS):
        number = find_labels(rows, sub, others, found, masks)
        if number > FEW:
            number = sort_and_pack(voxels_of(rows, sub, ids), sub_labels[total:], counts[total:], values[at:])
        else:
            if ids is not None:
                for label in range(number):
                    found[label] = id_of(found[label], ids)
            if number == 1:
                sub_labels[total], counts[total] = found[0], SUB_BLOCK_VOXELS
            elif number == 2:
                pack_two(found, masks, sub_labels, counts, total, value_words, at // 8)
            else:
                rank(found, number, masks, sub_labels, counts, total, planes)
                pack(planes.view(np.uint8), bits_of(number), values, at)
        numbers[sub] = number
        total += number
        at += bits_of(number) * SUB_BLOCK_ROWS
    labels, indices = _labels_and_indices(sub_labels[:total])
    voxels = np.zeros(len(labels), np.uint32)
    for i in range(total):
        voxels[indices[i]] += counts[i]
    return labels, voxels, numbers, indices, values[:at]


@njit(nogil=True)
def _labels_and_indices(sub_labels):  # type: ignore[no-untyped-def]
    """The distinct labels, ascending, and the index in them of each of `sub_labels`, uint32.

    The distinct labels are found first, by a hash table of at least two slots a label, and only they are sorted.
    """
    bits = 4
    while (1 << bits) < 2 * len(sub_labels):
        bits += 1
    slots = np.full(1 << bits, -1, np.int32)
    found = np.empty(len(sub_labels), np.uint64)
    indices = np.empty(len(sub_labels), np.uint32)
    number, index = 0, 0
    for i in range(len(sub_labels)):
        label = sub_labels[i]
        if i == 0 or label != found[index]:
            slot = np.int64((label * _GOLDEN) >> np.uint64(64 - bits))
            while slots[slot] >= 0 and found[slots[slot]] != label:
                slot = (slot + 1) & ((1 << bits) - 1)
            if slots[slot] < 0:
                slots[slot] = number
                found[number] = label
                number += 1
            index = slots[slot]
        indices[i] = index
    labels, new_index = ascending(found[:number]), np.empty(number, np.uint32)
    for i in range(number):
        new_index[i] = index_in(labels, found[i])
    for i in range(len(indices)):
        indices[i] = new_index[indices[i]]
    return labels, indices
