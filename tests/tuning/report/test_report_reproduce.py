"""The commands of the page make the same space, and the same configs, again."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dcodr.config import read_config
from tests.tuning.report.searches import TWO, made, space_text
from tuning.ledger.ledger import Ledger
from tuning.ledger.storage import LEDGER
from tuning.report.commands import caveat, commands
from tuning.results.export import export
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space
from tuning.space.space import load_space_with_options


def begun(folder: Path, more: str = "", **options: Any) -> Search:
    """Return a search without trials, of a space that the command line has changed.

    ``more`` are further settings of the search in its file.
    """
    folder.mkdir()
    (folder / "space.yaml").write_text(space_text(TWO).replace("search: {", f"search: {{{more}"))
    space = load_space_with_options(folder / "space.yaml", **options)
    ledger = Ledger.create(folder / LEDGER, space, {"versions": {}})
    ledger.ready(SpaceSampler)
    return Search(folder, ledger)


def asked(command: str) -> Space:
    """Return the space that ``tune.py`` would make of its arguments."""
    words = shlex.split(command)
    assert words[:2] == ["python", "tune.py"]
    values: dict[str, list[str]] = {}
    for option, value in zip(words[2::2], words[3::2], strict=True):
        values.setdefault(option.removeprefix("--"), []).append(value)
    limits = {"trials": int, "time-budget": float, "seed": int}
    return load_space_with_options(
        values["space"][0],
        dataset=values.get("dataset", [None])[0],
        data=values.get("data", [None])[0],
        settings=values.get("set", []),
        search={key.replace("-", "_"): kind(values[key][0]) for key, kind in limits.items() if key in values},
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"settings": ["temperature=0.25", "epochs=7", "encoder.code_dim=32"], "search": {"trials": 3}},
        {"settings": ["resources.cpus_per_trial=2", "seed=5"], "search": {"seed": 4, "time_budget": 60.0}},
        {"settings": ["search.sampler=random", "search.confirm.seeds=5"], "search": {"trials": 9}},
        {"dataset": "cars3d", "data": "a folder/it's.h5"},
        {"settings": ["strengths={gaussian_blur: {sigma: 1.5}}"]},
    ],
    ids=[
        "as it is",
        "fixed settings",
        "resources and seeds",
        "the search",
        "another dataset",
        "a nested setting",
    ],
)
def test_the_command_makes_the_same_space(tmp_path: Path, options: dict[str, Any]) -> None:
    search = begun(tmp_path / "my search", **options)
    again = dict(commands(search.results()))["Search again, from the start"]
    assert asked(again) == search.space.model_copy(update={"name": "space"})
    assert caveat(search.results()) is None
    assert shlex.split(again)[4:6] == ["--name", "my search-again"]


def test_a_limit_of_the_file_that_was_removed_is_removed_again(tmp_path: Path) -> None:
    search = begun(tmp_path / "s", "time_budget: 60, ", settings=["search.time_budget=null"])
    again = dict(commands(search.results()))["Search again, from the start"]
    assert asked(again).search.time_budget is None


def test_what_options_cannot_say_is_said(tmp_path: Path) -> None:
    search = begun(tmp_path / "s")
    text = (search.folder / "space.yaml").read_text()
    (search.folder / "space.yaml").write_text(text.replace("low: 0.05", "low: 0.1"))
    assert caveat(search.results()) == (
        "The command lacks some changes that were made to the space file; the exported configs have all."
    )
    (search.folder / "space.yaml").unlink()
    assert "does not load by itself" in str(caveat(search.results()))
    assert dict(commands(search.results()))["Search again, from the start"].startswith(
        "python tune.py --space "
    )


def words_after(command: str, option: str) -> Sequence[str]:
    words = shlex.split(command)
    return words[words.index(option) + 1 :]


def test_the_best_tradeoff_is_what_is_trained(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.5, 0.5]])
    export(search.results(), "all-front", search.folder / "configs")
    config = words_after(dict(commands(search.results()))["Train the best trade-off"], "--config")[0]
    assert read_config(Path(config))[0] == search.space.config(search.best_tradeoff().values)
