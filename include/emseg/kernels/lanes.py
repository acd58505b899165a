"""Eight neighbours in memory at once, for compiled passes over labels; `plain/lanes.py` has each as a line of NumPy.

For example, `unequal(array, 8, 0)` compares eight voxels with the eight before them and gives eight bits. Each function
is a few vector instructions. A plain loop compiles to ten times the instructions, because LLVM does not vectorise one
that makes bits of comparisons.

Nothing is checked. Unless a function says otherwise, `array` is C-ordered, has one dimension and any integer dtype,
indices are uint64, and the caller knows that the eight voxels from each index on are inside the array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
"""Voxels in a vector: a byte has a bit for each, and a vector of uint64 fills a register of AVX-512.

Stored formats do not depend on it. DVID's sub-block and the codec's group have constants of their own.
"""
LOWEST = np.array([(bits & -bits).bit_length() - 1 for bits in range(1 << LANES)], np.int8)
"""Index of the lowest set bit of eight. To loop over set bits: `j = LOWEST[bits]`, then `bits &= bits - 1`."""
COUNT = np.array([bits.bit_count() for bits in range(1 << LANES)], np.uint8)
"""How many of eight bits are set."""


@intrinsic
def unequal(_typing, array, _one, _other):  # type: ignore[no-untyped-def]
    """Bits of the voxels that differ, uint64: bit `j` is set where `array[_one + j] != array[_other + j]`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        eight = _Eight(context, builder, signature.args[0], args[0])
        flags = builder.icmp_unsigned("!=", eight.load(args[1]), eight.load(args[2]))
        return builder.zext(builder.bitcast(flags, ir.IntType(LANES)), ir.IntType(64))

    index = types.uint64
    return index(array, index, index), generate


@intrinsic
def blend(_typing, array, _to, _zero, _one, _bits):  # type: ignore[no-untyped-def]
    """`array[_to + j]` becomes `array[_one + j]` where bit `j` is set, else `array[_zero + j]`; all are read first."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        eight = _Eight(context, builder, signature.args[0], args[0])
        flags = builder.bitcast(builder.trunc(args[4], ir.IntType(LANES)), ir.VectorType(ir.IntType(1), LANES))
        eight.store(args[1], builder.select(flags, eight.load(args[3]), eight.load(args[2])))
        return context.get_dummy_value()

    index = types.uint64
    return types.void(array, index, index, index, index), generate


@intrinsic
def unlike(_typing, rows, _z, _y, _x, _label):  # type: ignore[no-untyped-def]
    """Bits of the 64 voxels of eight rows along y that are not `_label`, uint64: the first row in the lowest 8 bits.

    `rows` are (Z, Y, X) records of eight uint32 or uint64 each, wherever they lie in memory (`ROWS` of
    `sub_blocks.py`); indices are int64. `_label` is uint64, and fits into the dtype of the voxels.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        voxel, word = ir.IntType(signature.args[0].dtype.typeof("voxels").dtype.bitwidth), ir.IntType(64)
        vector = ir.VectorType(voxel, LANES)
        one = args[4] if voxel == word else builder.trunc(args[4], voxel)
        label = ir.Constant(vector, ir.Undefined)
        for lane in range(LANES):
            label = builder.insert_element(label, one, ir.Constant(ir.IntType(32), lane))
        bits = word(0)
        for number, row in enumerate(_rows_along_y(context, builder, signature.args[0], args)):
            voxels = builder.load(builder.bitcast(row, vector.as_pointer()), align=1)
            flags = builder.bitcast(builder.icmp_unsigned("!=", voxels, label), ir.IntType(LANES))
            bits = builder.or_(bits, builder.shl(builder.zext(flags, word), word(LANES * number)))
        return bits

    index = types.int64
    return types.uint64(rows, index, index, index, types.uint64), generate


@intrinsic
def ones(_typing, _word):  # type: ignore[no-untyped-def]
    """How many of the 64 bits of a uint64 are set, int64."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate


@intrinsic
def mirrored(_typing, _word):  # type: ignore[no-untyped-def]
    """The eight bytes of a uint64 with the bits of each in reverse order."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bswap(builder.bitreverse(args[0]))

    return types.uint64(types.uint64), generate


@intrinsic
def prefetch(_typing, rows, _z, _y, _x):  # type: ignore[no-untyped-def]
    """Let the processor fetch the eight rows that `unlike` would read, without waiting for them; computes nothing."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        to_read, to_second_level, data = flag(0), flag(2), flag(1)
        for row in _rows_along_y(context, builder, signature.args[0], args):
            builder.call(call, [row, to_read, to_second_level, data])
        return context.get_dummy_value()

    index = types.int64
    return types.void(rows, index, index, index), generate


def _rows_along_y(context: Any, builder: Any, rows_type: Any, args: Any) -> list[Any]:
    """Pointers to the bytes of eight rows along y, from the index `args[1:4]` of the rows `args[0]` on."""
    rows = context.make_array(rows_type)(context, builder, args[0])
    first = cgutils.get_item_pointer(context, builder, rows_type, rows, args[1:4], wraparound=False)
    first, stride = builder.bitcast(first, ir.IntType(8).as_pointer()), builder.extract_value(rows.strides, 1)
    return [builder.gep(first, [builder.mul(stride, stride.type(row))]) for row in range(LANES)]


class _Eight:
    """Reads and writes eight elements of an array from an index on."""

    def __init__(self, context: Any, builder: Any, array_type: Any, array: Any) -> None:
        self._builder, self._itemsize = builder, array_type.dtype.bitwidth // 8
        self._data = context.make_array(array_type)(context, builder, array).data
        self._vector = ir.VectorType(context.get_data_type(array_type.dtype), LANES)

    def load(self, index: Any) -> Any:
        return self._builder.load(self._at(index), align=self._itemsize)

    def store(self, index: Any, voxels: Any) -> None:
        self._builder.store(voxels, self._at(index), align=self._itemsize)

    def _at(self, index: Any) -> Any:
        return self._builder.bitcast(self._builder.gep(self._data, [index]), self._vector.as_pointer())
