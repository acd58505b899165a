"""Feeds corrupted bytes to a decoder and counts what comes of them: `corrupted_process.py KIND INPUTS`."""

import gzip
import resource
import struct
import sys
import time
import tracemalloc
from collections import Counter
from zlib import crc32

import numpy as np
import zstandard

from emseg.codec import decode_array, encode_array, encode_labels
from emseg.dvid.labels.block import MAX_BYTES, pack_block, unpack_block
from emseg.errors import IntegrityError

ADDRESS_SPACE_MORE = 1 << 30
HEAD = struct.Struct("<4sBBBBII")
STREAMS = 5
LZ4_FORM, STREAMS_FORM = 0, 2
Rng = np.random.Generator


def main(kind: str, inputs: int) -> None:
    rng = np.random.default_rng(20)
    sources, corrupted, decode, limit = KINDS[kind](rng)
    for data, _ in sources:
        decode(data)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: SIM115, PTH123
    resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESS_SPACE_MORE, resource.RLIM_INFINITY))
    counts, slowest, peak = Counter(), 0.0, 0
    for number in range(inputs):
        data, expected = sources[number % len(sources)]
        bad, forged = corrupted(data, rng)
        if number % 10 == 0:
            tracemalloc.start()
        started = time.process_time()
        try:
            found = decode(bad)
        except IntegrityError:
            counts["refused"] += 1
        else:
            same = found.shape == expected.shape and found.dtype == expected.dtype and np.array_equal(found, expected)
            counts["same" if same else "other"] += 1
            counts["unforged_other"] += not same and not forged
        slowest = max(slowest, time.process_time() - started)
        if number % 10 == 0:
            peak = max(peak, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    if peak > limit:
        sys.exit(f"{peak} bytes were allocated for one input, allowed are {limit}")
    words = {name: counts[name] for name in ("refused", "same", "other", "unforged_other")}
    sys.stdout.write(" ".join(f"{k}={v}" for k, v in words.items()) + f" slowest_s={slowest:.3f} peak={peak}\n")


def damaged(data: bytes, rng: Rng) -> bytes:
    """One fault somewhere: a flipped bit, a cut, a lost, doubled, zeroed, random or swapped stretch."""
    at, length = int(rng.integers(len(data))), int(rng.integers(1, 60))
    other = int(rng.integers(len(data)))
    flipped = bytearray(data)
    flipped[at] ^= 1 << int(rng.integers(8))
    swapped = bytearray(data)
    n = min(length, len(data) - max(at, other))
    swapped[at : at + n], swapped[other : other + n] = data[other : other + n], data[at : at + n]
    return [
        bytes(flipped),
        data[:at],
        data[:at] + data[at + length :],
        data[: at + length] + data[at:],
        data[:at] + bytes(length) + data[at + length :],
        data[:at] + rng.bytes(length) + data[at + length :],
        bytes(swapped),
    ][int(rng.integers(7))]


def container(head: tuple, shape: tuple[int, ...], chunks: list[bytes], checksums: list[int]) -> bytes:
    """A container whose checksums are right for whatever it claims."""
    layout, code, chunk_bytes = head
    table = [number for chunk, checksum in zip(chunks, checksums, strict=True) for number in (len(chunk), checksum)]
    top = HEAD.pack(b"EMSA", layout, code, len(shape), 0, chunk_bytes, len(chunks))
    top += struct.pack(f"<{len(shape)}Q{len(table)}I", *shape, *table)
    return top + struct.pack("<I", crc32(top)) + b"".join(chunks)


def parts(data: bytes) -> tuple[tuple, tuple[int, ...], list[bytes], list[int]]:
    _, layout, code, dimensions, _, chunk_bytes, number = HEAD.unpack_from(data)
    shape = struct.unpack_from(f"<{dimensions}Q", data, HEAD.size)
    table = struct.unpack_from(f"<{2 * number}I", data, HEAD.size + 8 * dimensions)
    at, chunks = HEAD.size + 8 * dimensions + 8 * number + 4, []
    for size in table[::2]:
        chunks.append(data[at : at + size])
        at += size
    return (layout, code, chunk_bytes), shape, chunks, list(table[1::2])


def forged(data: bytes, rng: Rng) -> bytes:
    """Another header, or other chunks, with the checksums that belong to them."""
    head, shape, chunks, checksums = parts(data)
    layout, code, chunk_bytes = head
    what = int(rng.integers(7 if layout else 4))
    if what == 0:  # a huge shape, with as many chunks as it needs
        shape = tuple(int(n) << int(rng.integers(0, 12)) for n in shape)
        raw = int(np.prod([float(n) for n in shape])) * 8
        number = min(max(1, -(-raw // chunk_bytes)), 3000)
        chunks = [chunks[0][: int(rng.integers(1, 40))]] * number
        checksums = [crc32(chunks[0])] * number
    elif what == 1:  # the same voxels in another shape, dtype or layout
        shape = tuple(int(n) for n in rng.permutation(shape)) if rng.integers(2) else (*shape, int(rng.integers(4)))
        code = int(rng.integers(14)) if rng.integers(2) else code
    elif what == 2:
        layout, chunk_bytes = int(rng.integers(3)), int(rng.choice([1, 4 << 20, 32 << 20, 2**32 - 1]))
    elif what == 3:  # damaged chunks
        chunks = [damaged(chunk, rng) if rng.integers(2) or len(chunks) == 1 else chunk for chunk in chunks]
    elif what == 4:  # right frames of damaged streams: what compiled code gets to see
        chunks = [
            with_streams(chunk, [damaged(s, rng) if len(s) and rng.integers(3) == 0 else s for s in streams(chunk)])
            for chunk in chunks
        ]
    elif what == 5:  # random streams of the right sizes
        chunks = [with_streams(c, [rng.bytes(len(s)) if rng.integers(2) else s for s in streams(c)]) for c in chunks]
    else:  # sizes in the table of a chunk that lie
        chunks = [lying(chunk, rng) for chunk in chunks]
    if layout == 1:
        checksums = [crc32(chunk) for chunk in chunks]
    return container((layout, code, chunk_bytes), shape, chunks, checksums)


def streams(chunk: bytes) -> list[bytes]:
    if chunk[0] == LZ4_FORM:
        return []
    assert chunk[0] == STREAMS_FORM  # else nothing would be corrupted here
    sizes = struct.unpack_from(f"<{2 * STREAMS}I", chunk, 1)[STREAMS:]
    at, found = 1 + 8 * STREAMS, []
    for size in sizes:
        found.append(zstandard.ZstdDecompressor().decompress(chunk[at : at + size]) if size else b"")
        at += size
    return found


def with_streams(chunk: bytes, raw: list[bytes]) -> bytes:
    if not raw:
        return chunk
    frames = [zstandard.ZstdCompressor(level=1).compress(stream) if stream else b"" for stream in raw]
    return struct.pack(f"<B{2 * STREAMS}I", STREAMS_FORM, *map(len, raw), *map(len, frames)) + b"".join(frames)


def lying(chunk: bytes, rng: Rng) -> bytes:
    if len(chunk) < 1 + 8 * STREAMS:
        return chunk
    changed = bytearray(chunk)
    at = 1 + 4 * int(rng.integers(2 * STREAMS))
    value = int(rng.choice([0, 1, 255, 2**20, 2**31, 2**32 - 1, int(rng.integers(2**32))]))
    struct.pack_into("<I", changed, at, value)
    return bytes(changed)


def corrupted_array(data: bytes, rng: Rng) -> tuple[bytes, bool]:
    if rng.integers(2):
        return forged(data, rng), True
    return damaged(data, rng), False


def some_labels(rng: Rng) -> list[np.ndarray]:
    ids = rng.integers(0, 2**64, 300, np.uint64)
    bodies = ids[rng.integers(0, 300, (4, 7, 6))].repeat(4, 0).repeat(4, 1).repeat(7, 2)
    bodies[rng.random(bodies.shape) < 0.02] = 5
    return [
        bodies,
        (bodies % 251).astype(np.uint8)[:, ::-1],
        np.repeat(rng.integers(0, 2**32, 500, np.uint32), 13),
        rng.integers(0, 2**16, (5, 9, 31)).astype(np.uint16),
        np.zeros((3, 70, 90), np.uint64),
    ]


def plain(rng: Rng):
    arrays = [*some_labels(rng), rng.integers(0, 256, (11, 12, 13), np.uint8), rng.random((20, 30)).astype(np.float32)]
    return [(encode_array(a), a) for a in arrays], corrupted_array, decode_array, 32 << 20


def labels(rng: Rng):
    return [(encode_labels(a), a) for a in some_labels(rng)], corrupted_array, decode_array, 64 << 20


def label_block(rng: Rng):
    ids = rng.integers(0, 2**64, 900, np.uint64)
    blocks = [ids[rng.integers(0, k, (8, 8, 8))].repeat(8, 0).repeat(8, 1).repeat(8, 2) for k in (1, 2, 9)]
    for k in (2, 3, 40, 900):
        block = ids[rng.integers(0, k, (16, 16, 16))].repeat(4, 0).repeat(4, 1).repeat(4, 2)
        block[rng.random(block.shape) < 0.01] = ids[0]
        blocks.append(block)
    return [(pack_block(b), b) for b in blocks], corrupted_block, unpack_block, 4 * MAX_BYTES


def corrupted_block(packed: bytes, rng: Rng) -> tuple[bytes, bool]:
    """Half as they come, half inside a gzip stream that is right: all that our own checks get to see."""
    if rng.integers(2):
        return damaged(packed, rng), False
    data = gzip.decompress(packed)
    what = int(rng.integers(4))
    if what == 0:
        changed = bytearray(data)
        struct.pack_into("<I", changed, 12, int(rng.choice([0, 1, 2, 2**16, 2**31, 2**32 - 1])))
        data = bytes(changed)
    elif what == 1 and len(data) > 24:
        labels = struct.unpack_from("<I", data, 12)[0]
        at = 16 + 8 * labels + int(rng.integers(min(3000, len(data) - 16 - 8 * labels - 4)))
        data = data[:at] + rng.bytes(4) + data[at + 4 :]
    elif what == 2:
        data = data[: int(rng.integers(len(data)))] + rng.bytes(int(rng.integers(2000)))
    else:
        data = damaged(data, rng)
    return gzip.compress(data, 1), True


KINDS = {"plain": plain, "labels": labels, "label_block": label_block}

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
