"""What the processes of `tests/forked.py` have before they begin: imports, and what emseg computes once a process.

No module of the command line: its console knows its width from its import on.
"""

# ruff: noqa: F401 - what is imported is for those who come after
import os

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations.expectations
import matplotlib.figure
import pandas

import emseg.tasks.gate
import emseg.tasks.jobs
import emseg.tasks.local
import emseg.tasks.publish
from emseg.phases.keys import code_versions

code_versions()
