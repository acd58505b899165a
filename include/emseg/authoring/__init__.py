"""What authors of steps and metrics use; nothing in a run imports it.

Start with `conformance.py`: `check(step)` in the tests of a package tries every promise that a step makes to the
pipeline, and `measured_child.py` measures its memory. `check_metric` of `metric_conformance.py` does the same for a
metric. `step_documents.py` describes a step and its parameters as plain text. `docs/plugins.md` leads through a whole
package; what a step is says `emseg.segment.protocol`, and what a metric is `emseg.evaluate.plugin`.
"""
