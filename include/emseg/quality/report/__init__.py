"""The report about a judged run: one document of numbers, and the page that is made of it."""

from emseg.quality.report.document import QualityReport
from emseg.quality.report.page import report_page

__all__ = ["QualityReport", "report_page"]
