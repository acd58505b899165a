"""The built-in steps, one in each file; `emseg.segment.registry` lists them."""
