"""The conclusion of a search on its parent run in MLflow: answer, gain and importances."""

from pathlib import Path

from dcodr.errors import UserError
from tuning.report.tables import answer_table, finals_table, gain_table, subset_alone
from tuning.results.answer import answer_text
from tuning.results.results import Results

MOST_TRIALS = 500
"""Most complete trials that are analysed at a search's end; this many take half a minute on one core."""


def what_mattered(results: Results) -> tuple[list[Path], str]:
    """Analyse a search that has ended, as ``python -m tuning analyse`` does.

    Returns:
        The files written, and a sentence about them or about the reason why there are none.
    """
    command = f"`python -m tuning analyse {results.name}`"
    if results.facts.get("ended") is None:
        return [], f"The search is not over; {command} tells what mattered so far."
    complete = len(results.complete)
    if complete > MOST_TRIALS:
        return [], f"An analysis of {complete} complete trials takes minutes: {command} tells what mattered."
    try:
        files = _analyse(results)
    except UserError as error:
        return [], f"There is no analysis: {error}."
    except Exception as error:  # of numerical libraries; the search itself has ended and its results stand
        return [], f"The analysis failed ({type(error).__name__}: {error}); {command} tries again."
    return files, "What mattered: the artifacts in `analysis`."


def describe(results: Results, mattered: str) -> str:
    """Return the description of a search on the page of its run, in Markdown.

    Args:
        results: The results of a search with a front.
        mattered: The sentence of :func:`what_mattered`.
    """
    compared, gained, tested = answer_table(results), gain_table(results), finals_table(results)
    parts = [answer_text(results)]
    parts += [f"{compared.caption}:", compared.markdown()] if compared else []
    parts += [f"{gained.caption}:", gained.markdown()] if gained else []
    parts += [f"{tested.caption}:", tested.markdown()] if tested else []
    return "\n\n".join([*parts, mattered])


def _analyse(results: Results) -> list[Path]:
    from tuning.analysis.analysis import analyse
    from tuning.report.analysis_files import write_files

    return write_files(results, [] if subset_alone(results.space) else analyse(results))
