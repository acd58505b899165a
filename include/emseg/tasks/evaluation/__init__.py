"""Evaluations of any two labelmaps in DVID: a run that measures and does nothing else, on Spark or in one process.

`pin_evaluation` makes an `EvaluationSpec` of what a person chose, `run_evaluation` does phase `evaluate` of it, and
`scored` makes the `Scores` of its tables. In the store:

    evaluations/runs/RUN/evaluation.json       the spec of a run, with its report or failure, and scores.json
    evaluations/phases/evaluate/KEY/...        markers and contingency tables, as those of any run
"""

from emseg.tasks.evaluation.job import run_evaluation
from emseg.tasks.evaluation.pinning import pin_evaluation
from emseg.tasks.evaluation.scoring import scored

__all__ = ["pin_evaluation", "run_evaluation", "scored"]
