"""What a dataset holds, as one page of HTML that opens anywhere."""

from walloc_data.report.page.report import write_report

__all__ = ["write_report"]
