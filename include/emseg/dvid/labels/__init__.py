"""Labels in DVID: how blocks, supervoxels, mappings, indices, extents and the pyramid fit together.

For example, proofreaders see body 5 in a volume. Its voxels hold the ids 5 and 9, which are its two supervoxels:

    blocks      every voxel of the body holds 5 or 9, at every scale
    mapping     9 -> 5; a supervoxel without a mapping is its own body, so nothing is said about 5
    index of 5  block (0, 0, 0): 5 has 700 voxels, 9 has 50; block (0, 0, 1): 9 has 800
    extents     the box outside of which viewers show nothing
    largest     the largest id in use; the server numbers new bodies of proofreaders from there on

To join body 7 to it, nobody changes a voxel: 7 is mapped to 5, the rows of the index of 7 move to the index of 5, and
the index of 7 is deleted. So a proofreader can take apart what stitching joined.

**Blocks** are cubes of 64 voxels a side. DVID keeps and returns the very bytes that it was sent, so a writer can
compare them (`block.py` packs and unpacks, `stream.py` puts several blocks into one request).

**The pyramid** is the same labels at half, a quarter, ... of the resolution. DVID does not make it for blocks that are
written in this way: the writer does (`pyramid.py`, `downsample.py`). A brick is a box that has whole blocks at every
scale, so writers of different bricks never share a block (`bricks.py`).

**Mappings** (`mappings.py`) and **indices** (`index.py`) are kept beside the voxels, and neither follows when the other
or the voxels change. The writer computes them from counted voxels, and posts both.

**Versions.** What a node has no block, mapping or index of, it inherits from its ancestors. To empty a block that an
ancestor has, a writer must write zeros. Where a run replaces only some voxels of an inherited segmentation,
`inherited.py` tells which supervoxels survive, and `preserved.py` where the bodies are that the run must not touch.

What a writer calls, in this order:

    Labelmap(node, name).create(...)          makes the instance, or finds it                        labelmap.py
    LabelPyramid(...).write(labelmap)         blocks of one brick; any number of writers at a time   pyramid.py
        or write_brick(labelmap, 0, ...)      one scale of an array
    BodyContents.over(ancestor, ...)          once all of these have ended, any number of writers    bodies.py
        .post(labelmap), .verify(labelmap)    post indices, each of its own bodies, and read them back
    LabelContents(...)                        then one writer posts mappings, largest label and      contents.py
        .post(labelmap, before_post)          extents,
        .verify(labelmap)                     and reads them back
    node.commit(note)                         DVID does not wait for open writes

Each step can be repeated after a failure: it leaves the same state. `labelindex_pb2.py` is generated from
`labelindex.proto`, the messages of mappings and indices.
"""
