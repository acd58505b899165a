"""Compiled passes over labels: what runs for every voxel, many times as fast as plain NumPy and Python.

| kernel             | what it does                                            | who calls it                         |
|--------------------|---------------------------------------------------------|--------------------------------------|
| `label_pairs.py`   | counts pairs of labels that meet, and pairs that touch  | votes, contacts, evaluation          |
| `label_streams.py` | labels to the five streams that are stored, and back    | `codec/label_chunks.py`              |
| `block_encoder.py` | the parts of a DVID label block from its voxels         | `dvid/labels/block.py`               |
| `block_decoder.py` | the voxels of a DVID label block from its parts         | `dvid/labels/block.py`               |
| `downsample.py`    | labels at half the resolution                           | `dvid/labels/downsample.py`          |
| `lanes.py`         | instructions on eight voxels, which passes are made of  | pairs, streams and the block encoder |
| `sorting.py`       | sorting and searching                                   | the block encoder                    |

**Read the twin first.** `plain/` has a module of the same name for each of these. It gives the same results, in plain
NumPy and Python, and shows with an example what they are. Tests compare the two, and nothing else imports a twin.

**Formats.** `stream_format.py` tells how labels lie in the object store, `dvid/labels/block.py` and `sub_blocks.py` how
they lie in DVID. Their constants belong to what is stored, not to the processor. Some equal the width of a vector,
`lanes.LANES`, and the passes rely on it: a test holds that they are equal.

**Before you add a kernel:**

- Write its twin, and a test that compares them, also for a single voxel, odd sides and the largest ids.
- A function that Python calls takes `@compiled`, a helper that only compiled functions call takes `@njit(nogil=True)`.
  `compiled.py` keeps its own cache because Numba's (`cache=True`) does not see that a helper in another file changed,
  and lets two processes exchange what they write at once. Either gives wrong numbers without an error.
- Do not sort or search with NumPy in a compiled function; `sorting.py` has both. Numba can link a helper of `np.sort`
  from the disk in place of another.
- A kernel checks nothing but the bytes that it decodes. Its caller checks shapes, dtypes and lengths: compiled code
  reads past the end of an array.
- Never mix signed and unsigned integers: Numba makes a float of the two, and large ids lose their low bits.
"""
