"""First trials of a search: from the paper, config files, other searches, or a ranking of augmentations."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dcodr.augmentations.names import AUGMENTATIONS
from dcodr.config import Config, read_config
from dcodr.data.sources.csv_table import read_table
from dcodr.data.sources.table import LabelTable
from dcodr.errors import UserError
from dcodr.strict_yaml import did_you_mean
from dcodr.studies.published import COLUMNS
from dcodr.words import counted
from tuning.ledger.storage import LEDGER
from tuning.ledger.trials import PAPER, FirstTrial
from tuning.results.search import Search
from tuning.sampling.points import Points
from tuning.space import Space
from tuning.space.params import SubsetParam, used


def first_trials(space: Space) -> list[FirstTrial]:
    """Return the trials that ``search.warm_start`` asks for, without repeats.

    Raises:
        UserError: If a file cannot be read, or its settings are not in the space.
    """
    first: list[FirstTrial] = []
    for trial in _suggested(space):
        if all(trial.values != other.values for other in first):
            first.append(trial)
    if len(first) > space.search.trials:
        raise UserError(
            f"search.warm_start gives {len(first)} first trials, more than "
            f"{counted(space.search.trials, 'trial')}"
        )
    return first


def read_ranking(path: Path) -> list[str]:
    """Return augmentations by the invariance of an autoencoder to them, the most invariant first.

    Both measures should be small (supplement, section 1.1). Augmentations are sorted by the sum of their
    ranks in the two measures.

    Args:
        path: A CSV file with the columns ``augmentation``, ``f_norm`` and ``f_unnorm``.

    Raises:
        UserError: If the file cannot be read or lacks a column, or a measure is not a finite number.
    """
    table = read_table(path, COLUMNS)
    names = table.columns["augmentation"]
    places = dict.fromkeys(names, 0)
    if len(places) < len(names):
        raise UserError(f"{path}: an augmentation is listed twice: {', '.join(names)}")
    for measure in COLUMNS[1:]:
        measured = {name: _measure(table, row, measure) for row, name in enumerate(names)}
        for place, name in enumerate(sorted(names, key=measured.__getitem__)):
            places[name] += place
    return sorted(names, key=places.__getitem__)


def _suggested(space: Space) -> Iterator[FirstTrial]:
    asked = space.search.warm_start
    if asked.paper:
        yield FirstTrial(space.paper_values(), PAPER)
    for path in asked.configs:
        trial = _trial(space, read_config(path)[0], f"config {Path(path).name}")
        yield _required(space, trial, f"configs: {path}")
    if asked.ranking is not None:
        for trial in _nested_sets(space, Path(asked.ranking)):
            yield _required(space, trial, f"ranking: {asked.ranking}")
    for folder in asked.searches:
        yield from _earlier_front(space, Path(folder))


def _required(space: Space, trial: FirstTrial, source: str) -> FirstTrial:
    reason = space.reject_reason(trial.values)
    if reason is not None:
        raise UserError(f"search.warm_start.{source} is not in the space: {reason}")
    return trial


def _nested_sets(space: Space, path: Path) -> Iterator[FirstTrial]:
    """Yield sets of the most invariant augmentations, from small to large, each with random numbers.

    With the paper's numbers, all of these trials would teach about one place in the space of the numbers.
    Choices and other subsets are the paper's.
    """
    known = used(space.params, space.paper_values())
    subsets = [(key, param) for key, param in known.items() if isinstance(param, SubsetParam)]
    if not subsets:
        raise UserError(
            "search.warm_start.ranking: the space has no parameter of type subset to apply it to, or the "
            f"base's method, {space.base.method}, does not use it"
        )
    key, param = subsets[0]
    # The second number keeps these draws apart from the sampler's, whose seed is the search's as well.
    points, rng = Points(space.params), np.random.default_rng((space.search.seed, 1))
    chosen = set(param.required)
    for name in read_ranking(path):
        if name not in AUGMENTATIONS:
            hint = did_you_mean(name, AUGMENTATIONS)
            raise UserError(f"{path}: received the unknown augmentation {name!r}{hint}")
        if name in param.members and param.fits({*chosen, name}):
            chosen.add(name)
            members = tuple(member for member in param.members if member in chosen)
            if param.allows(members):
                drawn = points.numbers(rng)
                papers = space.paper_values({key: members})
                values = {name: drawn.get(name, value) for name, value in papers.items()}
                yield FirstTrial(values, f"ranking, top {len(members)}")


def _earlier_front(space: Space, folder: Path) -> Iterator[FirstTrial]:
    if not (folder / LEDGER).is_file():
        raise UserError(
            f"search.warm_start.searches: {folder} is not the folder of a search: it has no {LEDGER}"
        )
    search = Search.open(folder.name, folder.parent)
    suggested = [
        _trial(space, search.space.config(trial.values), f"search {search.name} {trial.number:03d}")
        for trial in search.results().require_front()
    ]
    reasons = [space.reject_reason(trial.values) for trial in suggested]
    fitting = [trial for trial, reason in zip(suggested, reasons, strict=True) if reason is None]
    if not fitting:
        raise UserError(
            f"search.warm_start.searches: no trial on the front of {folder} is in the space: {reasons[0]}"
        )
    yield from fitting


def _trial(space: Space, config: Config, origin: str) -> FirstTrial:
    try:
        return FirstTrial(space.values_of(config), origin)
    except KeyError as error:
        raise UserError(f"search.warm_start: {origin}: {error.args[0]}") from None


def _measure(table: LabelTable, row: int, column: str) -> float:
    text = table.columns[column][row]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise table.error(row, column, f"received {text!r}; should be a finite number")
    return value
