"""Volumes that lie as many small chunks in a folder or an object store: Zarr, OME-Zarr, N5, neuroglancer precomputed.

For example, `s3://atlas/brain.zarr:s1` is scale `s1` of an OME-Zarr. `location.py` reads its small documents,
`zarr.py`, `n5.py` and `precomputed.py` say in a `Layout` what they tell of axes and positions, `missing.py` counts
chunks that are not there, and `volume.py` reads boxes. TensorStore decodes all formats.
"""
