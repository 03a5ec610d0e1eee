"""Files of an analysis in the search's folder."""

from collections.abc import Sequence
from pathlib import Path

from tuning.analysis.analysis import Analysis, write_tables
from tuning.report.before_after import write_before_after
from tuning.report.pictures import draw_pictures
from tuning.report.plane import write_trials
from tuning.results.results import ANALYSIS, Results


def write_files(results: Results, analyses: Sequence[Analysis]) -> list[Path]:
    """Write tables and pictures of analyses, if any, all complete trials, and neighbours before and after.

    The files go to the search's folder. Return them; existing ones are replaced.

    Raises:
        UserError: If no trial is complete, or a file cannot be written.
    """
    folder = results.folder / ANALYSIS
    files = [*write_tables(analyses, folder), *draw_pictures(analyses, folder)] if analyses else []
    return files + write_trials(results, folder) + write_before_after(results, folder)
