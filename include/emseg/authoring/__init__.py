"""What authors of steps use; nothing in a run imports it.

Start with `conformance.py`: `check(step)` in the tests of a package tries every promise that a step makes to the
pipeline, and `measured_child.py` measures its memory. `step_documents.py` describes a step and its parameters as plain
text. `docs/plugins.md` leads through a whole package; what a step is says `emseg.segment.protocol`.
"""
