"""The figures of the documentation, measured here and now: `python -m benchmarks [NAME ...]`.

Speed is always a ratio to something well known, timed in turn with it in one process, because no two computers, and no
two minutes of a shared one, are alike. Real EM is used where there is some (`data.py`), else a synthetic volume.
"""
