"""Arrays and tables to bytes and back: checksummed, deterministic, never pickle.

`encode_labels` is for ids (`kernels/stream_format.py` says how), `encode_array` for images and probabilities, and
`encode_table` makes Parquet.
"""

from emseg.codec.arrays import decode_array, encode_array, encode_labels
from emseg.codec.tables import decode_table, encode_table

__all__ = ["decode_array", "decode_table", "encode_array", "encode_labels", "encode_table"]
