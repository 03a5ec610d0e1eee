"""The simulator spends what it says it spends, and the surrogate finds what a record holds."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor
from threadpoolctl import threadpool_limits

from benchmarks.domains import thinned
from benchmarks.search_efficiency import record
from benchmarks.search_efficiency.goals import Goal, volumes
from benchmarks.search_efficiency.random_search import RandomSearch
from benchmarks.search_efficiency.records import RECORDS, SPACE, TRAININGS, Record, read_record
from benchmarks.search_efficiency.simulator import History, Ours, RayStock, simulate
from benchmarks.search_efficiency.surrogate import (
    KINDS,
    USUAL,
    Forest,
    Surrogate,
    cross_validated,
    features,
    plain,
    seed_covariance,
)
from dcodr.augmentations.names import PAPER_13
from dcodr.data.dataset import FactorDataset
from tuning.ledger.encoding import decode, encode, strengths
from tuning.pareto import hypervolume
from tuning.results.search import Search
from tuning.sampling.points import Points
from tuning.space import Space, load_space
from tuning.space.settings import SearchSettings

Floats = npt.NDArray[np.float64]
EMBEDDED = RECORDS["embedded"]


class Slopes:
    """Trainings without noise: the temperature trades one objective for the other, and both grow.

    The noise that each training would have is kept.
    """

    def __init__(self) -> None:
        self.trained: list[Mapping[str, Any]] = []
        self.noise: list[float] = []

    def curve(self, values: Mapping[str, Any], rng: np.random.Generator) -> Floats:
        self.trained.append(values)
        self.noise.append(rng.normal())
        curve: Floats = self.truth([values])[0]
        return curve

    def truth(self, values: list[Mapping[str, Any]]) -> Floats:
        warmth = np.array([np.log10(of["temperature"] / 0.05) for of in values])
        last = np.stack([warmth, 1 - warmth**2], axis=1)
        curves: Floats = last[:, None] * np.array([0.25, 0.5, 0.75, 1.0])[None, :, None]
        return curves


def space(**search: Any) -> Space:
    asked = {"trials": 10_000, "sampler": "random", "scheduler": None, "warm_start": {"paper": False}}
    asked |= search
    return load_space(EMBEDDED / SPACE).model_copy(update={"search": SearchSettings.model_validate(asked)})


def run(searched: Space, workers: int = 1, epochs: int = 80, **options: Any) -> tuple[History, Slopes, Ours]:
    curves, ours = Slopes(), Ours(searched, seed=0)
    history = simulate(ours, curves, searched, workers=workers, epoch_budget=epochs, seed=0, **options)
    return history, curves, ours


def test_every_epoch_is_paid_for_and_only_whole_trainings_count() -> None:
    history, curves, _ = run(space())
    assert history.epochs.tolist() == list(range(4, 81, 4))
    whole = curves.truth(curves.trained[:20])[:, -1]
    expected = [hypervolume(whole[: i + 1], [0, 0], ["maximize"] * 2) for i in range(20)]
    assert volumes(history.reached, (0, 0)) == pytest.approx(expected)


def test_workers_share_the_epochs_and_the_clock() -> None:
    alone, *_ = run(space(), workers=1)
    many, *_ = run(space(), workers=8)
    assert alone.clock[-1] == pytest.approx(80, rel=0.1)
    assert many.clock[-1] == pytest.approx(10, rel=0.2)
    assert many.epochs[0] > 20  # seven others were well under way


def test_early_stopping_spends_less_on_each_trial() -> None:
    _, every, _ = run(space())
    history, stopped, ours = run(space(scheduler={"grace_period": 1, "reduction_factor": 2}))
    assert len(stopped.trained) > 1.5 * len(every.trained)
    states = [trial.state for trial in ours.ledger.study.trials]
    assert states.count(TrialState.COMPLETE) == len(history.epochs)
    assert states.count(TrialState.PRUNED) > 5
    assert states.count(TrialState.RUNNING) == 1


class Hopeless(Slopes):
    """Trainings in which the paper's settings, of temperature 0.1, are dominated by all others."""

    def truth(self, values: list[Mapping[str, Any]]) -> Floats:
        curves = super().truth(values).clip(0.1, None)
        curves[[of["temperature"] == 0.1 for of in values]] = 0.01
        return curves


@pytest.mark.parametrize("workers", [1, 8, 64])
def test_the_baseline_is_complete_whatever_the_seed_and_however_bad_it_is(workers: int) -> None:
    searched = space(trials=24, scheduler={"grace_period": 1, "reduction_factor": 2}, warm_start={})
    for seed in range(10):
        ours = Ours(searched, seed)
        simulate(ours, Hopeless(), searched, workers=workers, epoch_budget=1000, seed=seed)
        baseline, *others = Search(Path("s"), ours.ledger).trials()
        assert (baseline.paper, baseline.status, baseline.epoch) == (True, "complete", searched.base.epochs)
        assert sum(other.status == "pruned" for other in others) > 5


def test_a_search_ends_when_it_has_met_all_goals() -> None:
    goals = [Goal((0, 0), 0.9, 0.5), Goal((0.2, 0.2), 0.9, 0.2)]
    history, *_ = run(space(), goals=goals)
    assert all(goal.met(history.reached) for goal in goals)
    assert not all(goal.met(history.reached[:-1]) for goal in goals)
    longer, *_ = run(space(), goals=[*goals, Goal((0, 0), 2, 2.0)])
    assert longer.epochs[-1] == 80


def test_searches_of_the_same_seed_have_the_same_noise() -> None:
    """The sixth trial begins at another time, but with the luck of the sixth."""
    _, alone, _ = run(space(), workers=1)
    _, many, _ = run(space(scheduler={"grace_period": 1, "reduction_factor": 2}), workers=8)
    assert alone.noise == many.noise[: len(alone.noise)]
    assert len({*alone.noise}) == len(alone.noise)


class Known(Slopes):
    """Slopes with the last epoch's values, as the surrogate has them."""

    def last(self, values: Sequence[Mapping[str, Any]]) -> Floats:
        last: Floats = self.truth([*values])[:, -1]
        return last


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("seed", [0, 3])
def test_exact_random_searches_are_those_of_the_simulator(workers: int, seed: int) -> None:
    searched, curves = space(), Known()
    simulated = simulate(Ours(searched, seed), curves, searched, workers=workers, epoch_budget=120, seed=seed)
    exact = RandomSearch(curves, searched, seed=seed, epochs=120, workers=64).history(workers)
    assert len(exact.epochs) > 100 // 4 - workers
    np.testing.assert_array_equal(exact.epochs, simulated.epochs)
    np.testing.assert_array_equal(exact.clock, simulated.clock)
    np.testing.assert_allclose(exact.reached, simulated.reached)
    assert simulated.proposal > 0


def test_ray_trains_allowed_sets_and_stops_early() -> None:
    searched, curves = space(), Slopes()
    history = simulate(RayStock(searched, 0), curves, searched, workers=4, epoch_budget=120, seed=0)
    for values in curves.trained:
        assert all(param.allows(values[key]) for key, param in searched.params.items())
    assert 4 * len(history.epochs) < 0.9 * history.epochs[-1]


@pytest.mark.parametrize(("name", "configs"), [("embedded", 128), ("cars3d", 64)])
def test_records_are_what_the_issue_asks_for(name: str, configs: int) -> None:
    folder = RECORDS[name]
    kept, searched = read_record(folder), load_space(folder / SPACE)
    assert (folder / TRAININGS).stat().st_size < 2**20
    assert len(np.unique(kept.configs)) >= configs
    seeds = np.unique(kept.configs, return_counts=True)[1]
    assert (seeds >= 3).sum() >= 16
    assert kept.metrics.shape == (len(kept.configs), searched.base.epochs, 2)
    assert all(searched.reject_reason(values) is None for values in kept.values)


def test_trainings_that_broke_down_are_left_out(tmp_path: Path) -> None:
    whole = {"invariance": 0.5, "informativeness": 0.4, "infeasible": None}
    runs = [
        {"config": 1, "seed": 0, "values": {"t": 2}, "epochs": [whole, whole]},
        {"config": 0, "seed": 0, "values": {"t": 1}, "epochs": [whole, whole]},
        {"config": 2, "seed": 0, "values": {"t": 3}, "epochs": [whole]},
        {"config": 3, "seed": 0, "values": {"t": 4}, "epochs": [whole, {**whole, "infeasible": "constant"}]},
    ]
    (tmp_path / TRAININGS).write_text("\n".join(map(json.dumps, runs)))
    kept = read_record(tmp_path)
    assert kept.configs.tolist() == [0, 1]
    assert kept.metrics.tolist() == [[[0.5, 0.4]] * 2] * 2


def test_a_record_of_fewer_domains_has_their_images_and_labels(tiny: FactorDataset) -> None:
    few = thinned(tiny, 3)
    names = np.unique(tiny.domain)[::3]
    assert few.n_domains == len(names)
    assert np.bincount(few.domain).tolist() == [int((tiny.domain == name).sum()) for name in names]
    rows = np.flatnonzero(np.isin(tiny.domain, names))
    assert np.array_equal(few.images, tiny.images[rows])
    assert np.array_equal(few.split, tiny.split[rows])
    assert all(np.array_equal(labels, tiny.attributes[name][rows]) for name, labels in few.attributes.items())
    assert few.fingerprint != tiny.fingerprint
    assert thinned(tiny, 1) is tiny


def test_a_record_is_not_continued_on_another_number_of_domains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / SPACE).write_bytes((EMBEDDED / SPACE).read_bytes())
    earlier = json.dumps({"config": 0, "seed": 0, "values": {}, "every": 2, "epochs": []})
    (tmp_path / TRAININGS).write_text(earlier + "\n")
    monkeypatch.setattr(record, "RECORDS", {"embedded": tmp_path})
    monkeypatch.setattr("sys.argv", ["record", "embedded", "--configs", "1", "--every", "3"])
    with pytest.raises(SystemExit):
        record.main()
    assert "was made with --every 2" in capsys.readouterr().err
    assert (tmp_path / TRAININGS).read_text() == earlier + "\n"


def planted(n: int, repeats: int, noise: float) -> Record:
    """Trainings of two epochs whose objectives depend on temperature and on crop."""
    rng, searched = np.random.default_rng(0), load_space(EMBEDDED / SPACE)
    points = [Points(searched.params).draw(rng) for _ in range(n)]
    values = [decode(searched.params, point) for point in points for _ in range(repeats)]
    last = np.array([truth(of) for of in values])
    metrics = np.stack([0.5 * last, last], axis=1)
    metrics += noise * rng.normal(size=(len(values), 1, 1))
    return Record(np.repeat(np.arange(n), repeats), values, metrics)


def truth(values: Mapping[str, Any]) -> list[float]:
    warmth = float(np.log10(values["temperature"] / 0.05))
    return [0.2 + 0.6 * warmth, 0.3 + 0.5 * ("crop" in values["augmentations"])]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("kind", "least"), [("features", 0.95), ("booleans", 0.95), ("trees", 0.9)])
def test_the_surrogate_ranks_configs_that_it_has_not_seen_and_repeats_the_noise(
    kind: str, least: float
) -> None:
    searched = load_space(EMBEDDED / SPACE)
    surrogate = Surrogate(planted(40, 2, noise=0.02), searched.params, KINDS[kind])
    rng = np.random.default_rng(1)
    new = [decode(searched.params, Points(searched.params).draw(rng)) for _ in range(60)]
    expected, predicted = np.array([truth(values) for values in new]), surrogate.truth(new)
    assert predicted.shape == (60, 2, 2)
    np.testing.assert_array_equal(surrogate.last(new), predicted[:, 1])
    assert spearmanr(expected[:, 0], predicted[:, 1, 0]).statistic > least
    assert spearmanr(expected[:, 1], predicted[:, 1, 1]).statistic > 0.7
    curves = np.array([surrogate.curve(new[0], rng) for _ in range(60)])
    assert curves.mean(axis=0) == pytest.approx(predicted[0], abs=0.01)
    assert curves.std(axis=0) == pytest.approx(np.full((2, 2), 0.02), rel=0.4)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", RECORDS)
def test_the_usual_surrogates_rank_recorded_configs_that_they_have_not_seen(name: str) -> None:
    searched = load_space(RECORDS[name] / SPACE)
    found = cross_validated(read_record(RECORDS[name]), searched.params, KINDS[USUAL[name]])
    assert min(found.values()) >= 0.7


def test_a_forest_predicts_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 5)), rng.random((60, 3))
    fitted = ExtraTreesRegressor(40, min_samples_leaf=2, random_state=0).fit(x, y)
    np.testing.assert_array_equal(Forest(fitted).predict(x), fitted.predict(x))


def test_no_prediction_of_trees_is_better_than_what_was_recorded() -> None:
    searched, record = load_space(EMBEDDED / SPACE), planted(40, 2, noise=0.02)
    rng, drawn = np.random.default_rng(1), Points(searched.params)
    new = [decode(searched.params, drawn.draw(rng)) for _ in range(500)]
    reached = Surrogate(record, searched.params, KINDS["trees"]).last(new)
    assert (reached <= record.metrics[:, -1].max(axis=0)).all()
    assert (reached >= record.metrics[:, -1].min(axis=0)).all()


def test_noise_is_pooled_over_the_configs_with_several_seeds() -> None:
    covariance = seed_covariance(planted(400, 3, noise=0.05))
    assert covariance == pytest.approx(np.full((4, 4), 0.0025), rel=0.15)
    assert np.sqrt(np.diag(seed_covariance(planted(5, 1, noise=0.05)))).max() < 1e-4


def test_plain_booleans_do_not_tell_how_many_members_there_are() -> None:
    searched = load_space(EMBEDDED / SPACE)
    values = {**searched.paper_values(), "augmentations": ("crop",)}
    more = {**values, "augmentations": ("grayscale", "crop")}
    one, two = plain(searched.params, [values, more])
    assert one[:13].sum() == 1
    assert two[:13].sum() == 2
    assert (one[13:] == two[13:]).all()
    assert len(one) == 13 + 4


@pytest.mark.parametrize("kind", KINDS)
def test_every_surrogate_sees_every_searched_setting(kind: str) -> None:
    """Each strength has a feature of its own."""
    searched = load_space(RECORDS["cars3d"] / SPACE)
    rng, points, seen = np.random.default_rng(0), Points(searched.params), KINDS[kind].encoding
    values = decode(searched.params, {**points.draw(rng), "augmentations.crop": True})
    for name, distribution in strengths(searched.params, encode(searched.params, values)).items():
        assert isinstance(distribution, FloatDistribution)
        low, high = ({**values, name: bound} for bound in (distribution.low, distribution.high))
        assert (seen(searched.params, [low]) != seen(searched.params, [high])).sum() == 1


def test_features_tell_the_size_of_a_set() -> None:
    searched = load_space(EMBEDDED / SPACE)
    values = [{**searched.paper_values(), "augmentations": PAPER_13[:size]} for size in (1, 2, 6)]
    assert features(searched.params, values)[:, -1].tolist() == pytest.approx([0, np.log(2) / np.log(6), 1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_surrogate_is_the_same_whatever_the_number_of_threads() -> None:
    searched, record = load_space(EMBEDDED / SPACE), planted(160, 1, noise=0.02)

    def fitted(threads: int) -> Floats:
        with threadpool_limits(threads):
            surrogate = Surrogate(record, searched.params, KINDS["features"])
        with threadpool_limits(1):
            return surrogate.last(record.values)

    np.testing.assert_array_equal(fitted(1), fitted(2))
