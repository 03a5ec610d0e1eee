"""The conclusion of a search on its parent run in MLflow: answer, gain and importances."""

from pathlib import Path
from typing import TypeAlias

from tuning.report.tables import answer_table, finals_table, gain_table, subset_alone
from tuning.results.answer import answer_text
from tuning.results.results import REPORT, Results

MOST_TRIALS = 500
"""Most complete trials that are analysed at a search's end; this many take half a minute on one core."""


Conclusion: TypeAlias = tuple[list[Path], str]
"""The result of :func:`what_mattered`."""


def what_mattered(results: Results) -> Conclusion:
    """Analyse a search that has ended, as ``python -m tuning analyse`` does; write its pictures and report.

    Returns:
        The files of the analysis, and a sentence about them or about the reason why there is none.
    """
    command = f"`python -m tuning analyse {results.name}`"
    if results.facts.get("ended") is None:
        return [], f"The search has not ended; {command} shows the importance of the settings so far."
    complete = len(results.complete)
    if complete > MOST_TRIALS:
        takes = f"An analysis of {complete} complete trials takes minutes"
        return [], f"{takes}: {command} shows the importance of the settings."
    from tuning.report.analysis_files import write_files
    from tuning.report.content import analysed
    from tuning.report.page import write_page

    try:
        found = analysed(results)
        files = write_files(results, found.analyses)
        write_page(results, results.folder / REPORT, found.analyses)
    except Exception as error:  # of numerical libraries; the search itself has ended and its results stand
        return [], f"The analysis failed ({type(error).__name__}: {error}); {command} tries again."
    # Sets of one augmentation are not analysed, but the files have their ranking.
    reason = None if subset_alone(results.space) else found.missing
    return files, reason or "Importance of the settings: the artifacts in `analysis`."


def describe(results: Results, mattered: str) -> str:
    """Return the description of a search with a front on the page of its run, in Markdown."""
    compared, gained, tested = answer_table(results), gain_table(results), finals_table(results)
    parts = [answer_text(results)]
    parts += [f"{compared.caption}:", compared.markdown()] if compared else []
    parts += [f"{gained.caption}:", gained.markdown()] if gained else []
    parts += [f"{tested.caption}:", tested.markdown()] if tested else []
    name = results.name
    export = (
        "Export the configs of the front and the encoder of the best trade-off:\n\n"
        f"    python -m tuning export {name} --pick all-front --out best\n"
        f"    python -m dcodr export models:/{name}@knee --onnx {name}.onnx"
    )
    return "\n\n".join([*parts, mattered, export])
