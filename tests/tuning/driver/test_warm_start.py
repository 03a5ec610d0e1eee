"""The first trials: from the paper's table, config files and earlier searches."""

from pathlib import Path

import pytest

from dcodr.augmentations.names import PAPER_13, PAPER_SET
from dcodr.config import PRESETS, dump_config
from dcodr.errors import UserError
from tuning.driver.warm_start import first_trials, read_ranking
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER
from tuning.ledger.trials import FirstTrial
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space, load_space

MEMBERS = f"params:\n  augmentations:\n    type: subset\n    members: [{', '.join(PAPER_13)}]\n"
TEMPERATURE = "  temperature: {type: float, low: 0.05, high: 0.5}\n"

TABLE_1 = """augmentation,f_norm,f_unnorm
horizontal_flip,0.868,0.2489
vertical_flip,0.791,0.3125
low_contrast,1.841,0.0903
low_brightness,0.759,0.1666
color_rotation,0.876,0.1020
random_erase,0.796,0.1967
affine,0.650,0.382
grayscale,0.787,0.0570
crop,0.842,0.2053
high_brightness,0.806,0.0759
high_contrast,0.433,0.0572
high_saturation,0.579,0.0261
gaussian_blur,0.315,0.0378
"""
"""The supplement's Table 1: how invariant autoencoders are to each augmentation."""


@pytest.fixture
def ranking(tmp_path: Path) -> Path:
    path = tmp_path / "ranking.csv"
    path.write_text(TABLE_1)
    return path


def load(folder: Path, warm_start: str, params: str = MEMBERS + TEMPERATURE) -> Space:
    text = "base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}}}\n" + params
    (folder / "s.yaml").write_text(f"{text}search: {{warm_start: {{{warm_start}}}}}\n")
    return load_space(folder / "s.yaml")


def sets(trials: list[FirstTrial]) -> list[set[str]]:
    return [set(trial.values["augmentations"]) for trial in trials]


def test_the_papers_settings_come_first_unless_they_are_not_wanted(tmp_path: Path) -> None:
    (trial,) = first_trials(load(tmp_path, ""))
    assert trial == FirstTrial({"augmentations": PAPER_SET, "temperature": 0.1}, "paper")
    assert first_trials(load(tmp_path, "paper: false")) == []


def test_paper_with_replaces_values_of_the_baseline_and_is_named_in_words(tmp_path: Path) -> None:
    space = load(tmp_path, "paper_with: {temperature: 0.3}")
    (trial,) = first_trials(space)
    assert trial == FirstTrial({"augmentations": PAPER_SET, "temperature": 0.3}, "paper")
    assert space.baseline == "the paper's settings with temperature 0.3"
    alone = load(tmp_path, "paper_with: {augmentations: [crop], temperature: 0.12345}")
    assert alone.baseline == "the paper's settings with augmentations crop, temperature 0.123"
    assert load(tmp_path, "").baseline == "the paper's settings"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("temperatur: 0.3", r"line 7: search\.warm_start\.paper_with\.temperatur: .* mean temperature"),
        ("encoder_lr: 0.3", r"paper_with\.encoder_lr: is not a searched parameter"),
        ("temperature: -1", r"paper_with\.temperature: .*-1"),
        ("temperature: hot", r"paper_with\.temperature: .*'hot'"),
        ("temperature: 0.7", r"params\.temperature: does not allow 0\.7"),
        ("augmentations: [crop, blur]", r"paper_with\.augmentations: .*'blur'"),
    ],
)
def test_paper_with_refuses_what_the_space_does_not_search_or_allow(
    tmp_path: Path, given: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        load(tmp_path, f"paper_with: {{{given}}}")


def test_the_papers_table_ranks_blur_saturation_and_contrast_first(ranking: Path) -> None:
    ranked = read_ranking(ranking)
    assert ranked[:3] == ["gaussian_blur", "high_saturation", "high_contrast"]
    assert sorted(ranked) == sorted(PAPER_13)


def test_the_shipped_ranking_is_the_papers_table() -> None:
    assert (Path(__file__).parents[3] / "search_spaces" / "paper_ranking.csv").read_text() == TABLE_1


def test_a_ranking_is_tried_from_small_to_large_sets(tmp_path: Path, ranking: Path) -> None:
    trials = first_trials(load(tmp_path, "paper: false, ranking: ranking.csv"))
    tried, ranked = sets(trials), read_ranking(ranking)
    assert tried == [set(ranked[:size]) for size in range(1, 14)]
    assert tried[2] == {"gaussian_blur", "high_saturation", "high_contrast"}
    assert trials[2].origin == "ranking, top 3"


def test_ranked_sets_have_random_numbers_of_the_search_s_seed(tmp_path: Path, ranking: Path) -> None:
    space = load(tmp_path, "paper: false, ranking: ranking.csv", SYSTEMS)
    trials = first_trials(space)
    temperatures = [trial.values["temperature"] for trial in trials]
    assert len({*temperatures}) == 13
    assert min(temperatures) < 0.15 < 0.4 < max(temperatures)
    assert {trial.values["method"] for trial in trials} == {"dcodr"}
    assert first_trials(space) == trials
    other = space.model_copy(update={"search": space.search.model_copy(update={"seed": 1})})
    assert {trial.values["temperature"] for trial in first_trials(other)}.isdisjoint(temperatures)


def test_of_what_excludes_each_other_a_ranking_tries_the_better(tmp_path: Path, ranking: Path) -> None:
    rules = "    max_size: 3\n    excluded: [[gaussian_blur, high_saturation]]\n"
    trials = first_trials(load(tmp_path, "paper: false, ranking: ranking.csv", MEMBERS + rules))
    others = [name for name in read_ranking(ranking) if name != "high_saturation"]
    assert others[0] == "gaussian_blur"
    assert sets(trials) == [set(others[:size]) for size in (1, 2, 3)]


def test_what_is_required_is_in_every_ranked_set(tmp_path: Path, ranking: Path) -> None:
    rules = "    required: [affine]\n    max_size: 3\n    min_size: 3\n"
    trials = first_trials(load(tmp_path, "paper: false, ranking: ranking.csv", MEMBERS + rules))
    assert sets(trials) == [{"affine", *read_ranking(ranking)[:2]}]


def test_the_same_settings_are_tried_once_whatever_the_order_of_the_members(tmp_path: Path) -> None:
    (tmp_path / "ranking.csv").write_text(
        "augmentation,f_norm,f_unnorm\n" + "".join(f"{name},{i},{i}\n" for i, name in enumerate(PAPER_SET))
    )
    backwards = ", ".join(reversed(PAPER_SET))
    members = f"params:\n  augmentations: {{type: subset, members: [{backwards}]}}\n"
    trials = first_trials(load(tmp_path, "ranking: ranking.csv", members))
    assert sets(trials) == [set(PAPER_SET), *(set(PAPER_SET[:size]) for size in (1, 2, 3))]


def test_an_exported_config_is_tried(tmp_path: Path) -> None:
    space = load(tmp_path, "paper: false, configs: [best.yaml]")
    values = {"augmentations": ("affine", "crop"), "temperature": 0.3}
    (tmp_path / "best.yaml").write_text(dump_config(space.config(values), {"search": "cars"}))
    assert first_trials(space) == [FirstTrial(values, "config best.yaml")]


def test_a_config_outside_of_the_space_is_refused(tmp_path: Path) -> None:
    space = load(tmp_path, "configs: [hot.yaml]")
    (tmp_path / "hot.yaml").write_text(dump_config(space.base.model_copy(update={"temperature": 0.9})))
    with pytest.raises(UserError) as caught:
        first_trials(space)
    assert f"search.warm_start.configs: {tmp_path / 'hot.yaml'} is not in the space" in str(caught.value)
    assert "temperature: 0.9 is not allowed" in str(caught.value)


def test_a_config_that_lacks_a_searched_setting_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = load(tmp_path, "configs: [best.yaml]")
    (tmp_path / "best.yaml").write_text(dump_config(space.base))

    def lacking(*_: object) -> object:
        raise KeyError("method_settings.alpha is not a setting")

    monkeypatch.setattr("tuning.space.space.setting", lacking)
    with pytest.raises(
        UserError, match=r"warm_start: config best\.yaml: method_settings\.alpha is not a set"
    ):
        first_trials(space)


def earlier_search(folder: Path, trials: dict[float, tuple[float, float]]) -> None:
    """A search of complete trials, given as temperature and objectives."""
    space = load(folder, "paper: false")
    values = [{"augmentations": ("crop",), "temperature": temperature} for temperature in trials]
    (folder / "cars").mkdir()
    ledger = Ledger.create(folder / "cars" / LEDGER, space, {}, [FirstTrial(v, "here") for v in values])
    ledger.ready(SpaceSampler)
    for objectives in trials.values():
        begun = Queue(ledger).begin()
        assert begun is not None
        metrics = dict(zip(space.objectives, objectives, strict=True))
        ledger.note_epoch(begun.number, 1, training={}, metrics=metrics, intervals={})
        ledger.end(begun.number, full_budget=True)


NARROW = MEMBERS + TEMPERATURE.replace("0.5", "0.3")


def test_the_front_of_an_earlier_search_is_tried_as_far_as_it_fits(tmp_path: Path) -> None:
    earlier_search(tmp_path, {0.1: (0.9, 0.1), 0.2: (0.5, 0.5), 0.25: (0.4, 0.4), 0.4: (0.1, 0.9)})
    trials = first_trials(load(tmp_path, "paper: false, searches: [cars]", NARROW))
    assert [(trial.values["temperature"], trial.origin) for trial in trials] == [
        (0.1, "search cars 000"),
        (0.2, "search cars 001"),
    ]
    assert sets(trials) == [{"crop"}] * 2


def test_an_earlier_search_without_a_fitting_trial_is_refused(tmp_path: Path) -> None:
    earlier_search(tmp_path, {0.4: (0.9, 0.9)})
    space = load(tmp_path, "searches: [cars]", NARROW)
    with pytest.raises(
        UserError, match=r"no trial on the front of .*cars is in the space: temperature: 0\.4 is not allowed"
    ):
        first_trials(space)


def test_what_is_no_earlier_search_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"warm_start\.searches: .*cars is not the folder of a search"):
        first_trials(load(tmp_path, "searches: [cars]"))


def test_more_first_trials_than_trials_are_refused(tmp_path: Path, ranking: Path) -> None:
    space = load(tmp_path, "ranking: ranking.csv")
    few = space.model_copy(update={"search": space.search.model_copy(update={"trials": 5})})
    with pytest.raises(UserError, match="gives 14 first trials, more than 5 trials"):
        first_trials(few)


def test_a_ranking_needs_a_subset(tmp_path: Path, ranking: Path) -> None:
    space = load(tmp_path, "ranking: ranking.csv", "params:\n" + TEMPERATURE)
    with pytest.raises(UserError, match="the space has no parameter of type subset"):
        first_trials(space)


SYSTEMS = (
    MEMBERS
    + TEMPERATURE
    + "  method: {type: categorical, choices: [dcodr, lord]}\n"
    + "  lord.noise: {type: float, low: 0.1, high: 2.0}\n"
)


def test_settings_that_a_method_does_not_use_are_no_part_of_a_first_trial(tmp_path: Path) -> None:
    for name, temperature in (("a", 0.1), ("b", 0.3)):
        config = PRESETS["synthetic"].model_copy(update={"method": "lord", "temperature": temperature})
        (tmp_path / f"{name}.yaml").write_text(dump_config(config))
    papers, lord = first_trials(load(tmp_path, "configs: [a.yaml, b.yaml]", SYSTEMS))
    assert papers.values == {"method": "dcodr", "augmentations": PAPER_SET, "temperature": 0.1}
    assert lord == FirstTrial({"method": "lord", "lord.noise": 1.0}, "config a.yaml")


def test_a_ranking_needs_a_base_that_uses_augmentations(tmp_path: Path, ranking: Path) -> None:
    space = load(tmp_path, "ranking: ranking.csv", SYSTEMS)
    assert len(first_trials(space)) > 10
    lord = space.model_copy(update={"base": space.base.model_copy(update={"method": "lord"})})
    with pytest.raises(UserError, match="or the base's method, lord, does not use it"):
        first_trials(lord)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; expected a header with the columns augmentation, f_norm, f_unnorm"),
        (
            "augmentation,f_norm\ncrop,1\n",
            "column f_unnorm: no such column; the header has augmentation, f_norm",
        ),
        (
            TABLE_1.replace("0.0261", "small"),
            "line 13, column f_unnorm: received 'small'; should be a finite number",
        ),
        (
            TABLE_1.replace("0.0261", "nan"),
            "line 13, column f_unnorm: received 'nan'; should be a finite number",
        ),
        (TABLE_1.replace(",0.0261", ""), "line 13: 2 cells for 3 columns"),
        (TABLE_1 + "crop,1,1\n", "an augmentation is listed twice"),
        (TABLE_1.replace("crop", "cropp"), "received the unknown augmentation 'cropp' (did you mean crop?)"),
    ],
    ids=["empty", "column", "word", "nan", "missing", "twice", "unknown"],
)
def test_wrong_rankings_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "ranking.csv").write_text(text)
    with pytest.raises(UserError) as caught:
        first_trials(load(tmp_path, "ranking: ranking.csv"))
    assert f"{tmp_path / 'ranking.csv'}" in str(caught.value)
    assert message in str(caught.value)
