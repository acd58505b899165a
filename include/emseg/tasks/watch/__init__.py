"""The watch: what is served is measured again when its ground truth or its proofreading has changed, and people hear.

`pin_watch` makes an evaluation of two labelmaps of it, `run_evaluation` counts, and `judge_watch` judges the figures,
tells people and leaves rows in the history. Nothing is published or taken back. In the store:

    evaluations/runs/watch-IDENTITY/            evaluation.json, watch.json, scores.json, and receipts of the alert
    DATASET/history/watch-IDENTITY....parquet   the figures; while it is there, the same is not measured again
"""

from emseg.tasks.watch.judging import judge_watch
from emseg.tasks.watch.pinning import Watched, pin_watch

__all__ = ["Watched", "judge_watch", "pin_watch"]
