"""Eight neighbours in memory at once, for compiled passes over labels.

Each function is a few vector instructions. A loop over eight voxels that makes a bit of each comparison becomes ten
times as many: LLVM finds no good way from such a loop to the bits. Nothing is checked: where not said otherwise `array`
is C-ordered, of one dimension and any integer dtype, places are uint64, and the caller knows that eight voxels from
each place on lie in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
LOWEST = np.array([(bits & -bits).bit_length() - 1 for bits in range(1 << LANES)], np.int8)
"""Place of the lowest set bit of eight; bits become a loop with `j = LOWEST[bits]` and `bits &= bits - 1`."""
COUNT = np.array([bits.bit_count() for bits in range(1 << LANES)], np.uint8)
"""How many of eight bits are set."""


@intrinsic
def unequal(_typing, array, _one, _other):  # type: ignore[no-untyped-def]
    """Bits of the voxels that differ, uint64: bit `j` is set where `array[_one + j] != array[_other + j]`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        eight = _Eight(context, builder, signature.args[0], args[0])
        flags = builder.icmp_unsigned("!=", eight.load(args[1]), eight.load(args[2]))
        return builder.zext(builder.bitcast(flags, ir.IntType(LANES)), ir.IntType(64))

    place = types.uint64
    return place(array, place, place), generate


@intrinsic
def blend(_typing, array, _to, _zero, _one, _bits):  # type: ignore[no-untyped-def]
    """`array[_to + j]` becomes `array[_one + j]` where bit `j` is set, else `array[_zero + j]`; all are read first."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        eight = _Eight(context, builder, signature.args[0], args[0])
        flags = builder.bitcast(builder.trunc(args[4], ir.IntType(LANES)), ir.VectorType(ir.IntType(1), LANES))
        eight.store(args[1], builder.select(flags, eight.load(args[3]), eight.load(args[2])))
        return context.get_dummy_value()

    place = types.uint64
    return types.void(array, place, place, place, place), generate


@intrinsic
def unlike(_typing, rows, _z, _y, _x, _label):  # type: ignore[no-untyped-def]
    """Bits of the 64 voxels of eight rows along y that are not `label`, uint64, the first row in the lowest eight bits.

    `rows` are (Z, Y, X) records of eight uint32 or uint64 each, wherever they lie: here the places are int64, and
    strides are minded. `label` is uint64 and must be one of that dtype.
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

    place = types.int64
    return types.uint64(rows, place, place, place, types.uint64), generate


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
    """Bid the processor fetch the eight rows that `unlike` would read; nothing waits for them."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        to_read, to_second_level, data = flag(0), flag(2), flag(1)
        for row in _rows_along_y(context, builder, signature.args[0], args):
            builder.call(call, [row, to_read, to_second_level, data])
        return context.get_dummy_value()

    place = types.int64
    return types.void(rows, place, place, place), generate


def _rows_along_y(context: Any, builder: Any, rows_type: Any, args: Any) -> list[Any]:
    """Pointers to the bytes of eight rows, the first of which is at `args[1:4]` of the rows `args[0]`."""
    rows = context.make_array(rows_type)(context, builder, args[0])
    first = cgutils.get_item_pointer(context, builder, rows_type, rows, args[1:4], wraparound=False)
    first, stride = builder.bitcast(first, ir.IntType(8).as_pointer()), builder.extract_value(rows.strides, 1)
    return [builder.gep(first, [builder.mul(stride, stride.type(row))]) for row in range(LANES)]


class _Eight:
    """Reads and writes eight elements of an array from a place on."""

    def __init__(self, context: Any, builder: Any, array_type: Any, array: Any) -> None:
        self._builder, self._itemsize = builder, array_type.dtype.bitwidth // 8
        self._data = context.make_array(array_type)(context, builder, array).data
        self._vector = ir.VectorType(context.get_data_type(array_type.dtype), LANES)

    def load(self, place: Any) -> Any:
        return self._builder.load(self._at(place), align=self._itemsize)

    def store(self, place: Any, voxels: Any) -> None:
        self._builder.store(voxels, self._at(place), align=self._itemsize)

    def _at(self, place: Any) -> Any:
        return self._builder.bitcast(self._builder.gep(self._data, [place]), self._vector.as_pointer())
