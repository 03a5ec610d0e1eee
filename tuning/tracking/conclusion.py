"""What a search came to, as its parent run in MLflow tells it: what it gained, and what mattered."""

from collections.abc import Sequence
from pathlib import Path

from dcodr.errors import UserError
from tuning.results.final_figures import CAPTION, final_figures, header
from tuning.results.gain import HEADER, better_everywhere, gains
from tuning.results.search import Search

MOST_TRIALS = 500
"""Complete trials up to which a search's end tells what mattered; so many take half a minute on one core."""


def what_mattered(search: Search) -> tuple[list[Path], str]:
    """Analyse a search that is over, as ``python -m tuning analyse`` does.

    Returns:
        The files written, and a sentence about them; if there are none, it says why.
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
    except Exception as error:  # of numerical libraries; the search itself is over and right
        return [], f"The analysis failed ({type(error).__name__}: {error}); {command} tries again."
    return files, "What mattered: the artifacts in `analysis`."


def describe(search: Search, mattered: str) -> str:
    """What the run's page says of a search with a front, in Markdown.

    Args:
        search: The search.
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
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])


def _analyse(search: Search) -> list[Path]:
    from tuning.analysis.analysis import analyse
    from tuning.report.alone import subset_alone
    from tuning.report.analysis_files import write_files

    return write_files(search, [] if subset_alone(search.space) else analyse(search))
