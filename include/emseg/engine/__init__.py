"""How any phase runs and resumes: what is missing is computed, committed and marked.

It knows nothing of what is computed.

`run.py` runs a phase, `items.py` runs one item anywhere, `exchange.py` brings rows of many tables together,
`failures.py` is about what failed, `progress.py` says how far it is, `report.py` what was done.
"""
