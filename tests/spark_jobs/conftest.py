"""The Spark mains on the import path, as spark-submit puts them."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "spark_jobs"))
