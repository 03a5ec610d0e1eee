"""The conclusion of a search on its parent run in MLflow: gain and importances."""

from collections.abc import Sequence
from pathlib import Path

from dcodr.errors import UserError
from tuning.results.final_figures import CAPTION, final_figures, header
from tuning.results.gain import HEADER, better_everywhere, gains
from tuning.results.search import Search

MOST_TRIALS = 500
"""Most complete trials that are analysed at a search's end; this many take half a minute on one core."""


def what_mattered(search: Search) -> tuple[list[Path], str]:
    """Analyse a search that has ended, as ``python -m tuning analyse`` does.

    Returns:
        The files written, and a sentence about them or about the reason why there are none.
    """
    command = f"`python -m tuning analyse {search.name}`"
    if search.ledger.facts().get("ended") is None:
        return [], f"The search is not over; {command} tells what mattered so far."
    complete = sum(trial.status == "complete" for trial in search.trials())
    if complete > MOST_TRIALS:
        return [], f"An analysis of {complete} complete trials takes minutes: {command} tells what mattered."
    try:
        files = _analyse(search)
    except UserError as error:
        return [], f"There is no analysis: {error}."
    except Exception as error:  # of numerical libraries; the search itself has ended and its results stand
        return [], f"The analysis failed ({type(error).__name__}: {error}); {command} tries again."
    return files, "What mattered: the artifacts in `analysis`."


def describe(search: Search, mattered: str) -> str:
    """Return the description of a search on the page of its run, in Markdown.

    Args:
        search: A search with a front.
        mattered: The sentence of :func:`what_mattered`.
    """
    objectives = list(search.space.objectives)
    gained = [gain.cells() for gain in gains(search)]
    tested = [final.cells(objectives) for final in final_figures(search)]
    parts = [_table(HEADER, gained)] if gained else []
    parts.append(better_everywhere(search))
    parts += [f"{CAPTION}:", _table(header(objectives), tested)] if tested else []
    return "\n\n".join([*parts, mattered])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])


def _analyse(search: Search) -> list[Path]:
    from tuning.analysis.analysis import analyse
    from tuning.report.alone import subset_alone
    from tuning.report.analysis_files import write_files

    return write_files(search, [] if subset_alone(search.space) else analyse(search))
