"""Charts against the trials they show, and against plotly's own check of figures."""

import math
import re
import statistics
from pathlib import Path
from typing import Any, cast

import plotly.graph_objects as go
import pytest

from tests.tuning.report.searches import TWO, confirm, made, spread
from tuning.analysis import attribution, regression
from tuning.analysis.analysis import Analysis, analyse
from tuning.analysis.attribution import Attribution, MemberEffect
from tuning.analysis.evidence import Estimate
from tuning.ledger.lock import driving
from tuning.ledger.queue import Queue
from tuning.report.bars import PALE, bar_charts, effect_bars, importance_bars
from tuning.report.chart import Chart, plain, tick_texts
from tuning.report.curves import curve_charts, hypervolume_chart
from tuning.report.front_chart import front_chart
from tuning.report.matrix import SHADES, matrix_chart
from tuning.report.parallel import UNUSED, parallel_chart
from tuning.report.slices import slices
from tuning.report.trials_table import trials_table
from tuning.results.search import Search
from tuning.space.params import SubsetParam

TWELVE = """
  augmentations: {type: subset, members: [crop, gaussian_blur, high_contrast, high_saturation, grayscale,
    affine, low_contrast, low_brightness, color_rotation, random_erase, horizontal_flip, vertical_flip]}
  temperature: {type: float, low: 0.05, high: 0.5, log: true}
"""


def valid(chart: Chart) -> Chart:
    """Return a chart that plotly accepts, with its colours as any browser would fill them in."""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        return "#123456" if isinstance(value, str) and value.startswith("--") else value

    go.Figure(data=filled(chart.data), layout=filled(chart.layout))
    return chart


def front(search: Search) -> Chart:
    """Return the Pareto plane of a search."""
    chart = front_chart(search.results())
    assert chart is not None
    return valid(chart)


def named(chart: Chart, name: str) -> dict[str, Any]:
    return next(trace for trace in chart.data if str(trace.get("name", "")).startswith(name))


def test_the_front_is_what_nothing_dominates(tmp_path: Path) -> None:
    values = spread(12)
    chart = front(made(tmp_path / "s", values))
    best = [a for a in values if not any(b[0] >= a[0] and b[1] >= a[1] and b != a for b in values)]
    shown, others = named(chart, "front"), named(chart, "other")
    assert sorted(zip(shown["x"], shown["y"], strict=True)) == sorted(map(tuple, best))
    assert len(others["x"]) == 12 - len(best)
    assert [*named(chart, "the paper")["x"], *named(chart, "the paper")["y"]] == values[0]
    assert len(named(chart, "best trade-off")["x"]) == 1


def test_a_point_says_what_its_trial_is(tmp_path: Path) -> None:
    raw = {"domain_accuracy": 0.25, "chance/domain": 0.125, "accuracy/<b>hue": 0.5, "recall/hue": 0.1}
    search = made(tmp_path / "s", [[0.5, 0.25]], extra=raw)
    (text,) = named(front(search), "front")["text"]
    for words in (
        "<b>trial 000</b> (paper)",
        "invariance: <b>0.500</b>",
        "informativeness: <b>0.250</b>",
        "augmentations: crop + high contrast + saturation + blur",
        f"temperature: {search.trials()[0].values['temperature']:.3g}",
        "domain_accuracy: 0.250 (chance 0.125)",
        "accuracy/&lt;b&gt;hue: 0.500",
    ):
        assert words in text.split("<br>")
    assert "recall" not in text


def test_one_objective_is_shown_over_the_trials(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.5], [0.75], [0.25]], {"invariance": "maximize"})
    chart = front(search)
    assert (named(chart, "front")["x"], named(chart, "front")["y"]) == ([1], [0.75])
    assert chart.layout["xaxis"]["title"]["text"] == "trial"


def test_three_objectives_show_the_first_two(tmp_path: Path) -> None:
    objectives = {**TWO, "domain_accuracy": "minimize"}
    chart = front(made(tmp_path / "s", [[0.5, 0.5, 0.5], [0.25, 0.25, 0.25]], objectives))
    assert (named(chart, "front")["x"], named(chart, "front")["y"]) == ([0.5, 0.25], [0.5, 0.25])
    assert not [trace for trace in chart.data if trace["mode"] == "lines"]


def test_the_edge_goes_through_no_point_that_nobody_reached(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.25, 0.75], [0.75, 0.25]])
    edge = next(trace for trace in front(search).data if "line" in trace)
    assert (edge["x"], edge["y"], edge["line"]["shape"]) == ([0.25, 0.75], [0.75, 0.25], "vh")


def test_trials_below_full_budget_are_marked_where_they_are(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.5, 0.25]])
    for full, reached in ((False, 0.125), (None, 0.375)):
        begun = Queue(search.ledger).begin()
        assert begun is not None
        metrics = dict.fromkeys(TWO, reached)
        search.ledger.note_epoch(begun.number, 1, training={}, metrics=metrics)
        if full is not None:
            search.ledger.end(begun.number, full_budget=full)
    with driving(search.folder):
        running = named(front(search), "running")
    chart = front(search)
    stopped, cut_off = named(chart, "stopped early"), named(chart, "cut off")
    assert (stopped["x"], stopped["y"], stopped["customdata"]) == ([0.125], [0.125], [1])
    assert (running["x"], running["y"], running["customdata"]) == ([0.375], [0.375], [2])
    assert cut_off == {**running, "name": "cut off"}
    assert named(chart, "front")["customdata"] == [0]


def test_bars_of_a_point_are_the_interval_of_its_metrics(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [])
    begun = Queue(search.ledger).begin()
    assert begun is not None
    metrics, intervals = {"invariance": 0.5, "informativeness": 0.25}, {"invariance": [0.375, 0.75]}
    search.ledger.note_epoch(begun.number, 1, training={}, metrics=metrics, intervals=intervals)
    search.ledger.end(begun.number, full_budget=True)
    trace = named(front(search), "front")
    assert (trace["error_x"]["arrayminus"], trace["error_x"]["array"]) == ([0.125], [0.25])
    assert (trace["error_y"]["arrayminus"], trace["error_y"]["array"]) == ([None], [None])


def test_bars_of_a_confirmed_trial_are_the_deviation_between_seeds(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.5, 0.25]])
    confirm(search, 0, [(0.25, 0.25), (0.75, 0.75)])
    trace = named(front(search), "front")
    deviation = pytest.approx([statistics.stdev([0.25, 0.75])])
    assert trace["x"] == [0.5]
    assert trace["error_x"]["array"] == trace["error_x"]["arrayminus"] == deviation


def test_all_charts_show_the_means_of_the_confirmations(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.5, 0.25], [0.25, 0.75], [0.9, 0.9]])
    confirm(search, 0, [(0.25, 0.25), (0.75, 0.75)])
    confirm(search, 1, [(0.125, 0.125), (0.25, 0.25)])
    results = search.results()
    expected = {trial.number: results.objectives(trial) for trial in search.trials()}
    assert expected == {n: dict.fromkeys(TWO, mean) for n, mean in enumerate((0.5, 0.1875, 0.9))}
    plane = [trace for trace in front(search).data if "customdata" in trace]
    for axis, (i, name) in zip("xy", enumerate(TWO), strict=True):
        values = {number: reached[name] for number, reached in expected.items()}
        traces = [(plane, axis), *((chart.data, "y") for chart in slices(results)[i])]
        for shown, key in traces:
            points = {n: v for t in shown for n, v in zip(t["customdata"], t[key], strict=True)}
            assert points == values
        chart = parallel_chart(results)
        assert chart is not None
        lines = chart.data[0]
        column = next(axis for axis in lines["dimensions"] if axis["label"] == name)["values"]
        assert dict(zip(lines["customdata"], column, strict=True)) == values
        if i == 0:
            assert lines["line"]["color"] == column
        assert {row.number: row.cells[1 + i].value for row in trials_table(results).rows} == values


def test_a_trial_that_was_not_confirmed_is_set_apart_in_all_charts(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.5, 0.25], [0.9, 0.9]])
    matrix = matrix_chart(search.results())
    assert matrix is not None
    assert "not confirmed" not in {trace.get("name") for trace in matrix.data}
    confirm(search, 0, [(0.5, 0.5), (0.5, 0.5)])
    results = search.results()
    for chart in (front(search), *(chart for charts in slices(results) for chart in charts)):
        assert {*named(chart, "not confirmed")["customdata"]} == {1}
    matrix = matrix_chart(results)
    assert matrix is not None
    cells = valid(matrix).data[0]
    column = cells["customdata"][0].index(1)
    assert {[*SHADES][row[column]] for row in cells["z"]} <= {"not in the set", "not confirmed"}
    assert "not confirmed" in {trace.get("name") for trace in matrix.data}
    outcomes = {row.number: row.cells[0].text for row in trials_table(results).rows}
    assert outcomes[1] == "not confirmed"


def test_cells_are_the_members_of_each_trials_set(tmp_path: Path) -> None:
    search = made(tmp_path / "s", spread(6))
    chart = matrix_chart(search.results())
    assert chart is not None
    cells = valid(chart).data[0]
    trials = {trial.number: trial for trial in search.trials()}
    order = cells["customdata"][0]
    assert sorted(order) == [*trials]
    assert order[0] == search.best_tradeoff().number
    on_front = {trial.number for trial in search.front()}
    assert {*order[: len(on_front)]} == on_front
    kinds = [*SHADES]
    for member, row in zip(cells["y"], cells["z"], strict=True):
        for number, value in zip(order, row, strict=True):
            inside = member in trials[number].values["augmentations"]
            assert (kinds[value] != "not in the set") == inside
            if inside:
                assert (kinds[value] in ("front", "best trade-off")) == (number in on_front)


def test_a_space_without_a_set_has_no_matrix(tmp_path: Path) -> None:
    params = """
  temperature: {type: float, low: 0.05, high: 0.5}
"""
    assert matrix_chart(made(tmp_path / "s", spread(3), params=params).results()) is None


def test_slices_are_objectives_against_settings(tmp_path: Path) -> None:
    search = made(tmp_path / "s", spread(6))
    results, trials = search.results(), search.trials()
    for objective, charts in zip(TWO, slices(results), strict=True):
        sets, temperatures = map(valid, charts)
        shown = {
            (x, y, number)
            for trace in temperatures.data
            for x, y, number in zip(trace["x"], trace["y"], trace["customdata"], strict=True)
        }
        assert shown == {
            (trial.values["temperature"], results.objectives(trial)[objective], trial.number)
            for trial in trials
        }
        param = search.space.params["augmentations"]
        assert isinstance(param, SubsetParam)
        for trace in sets.data:
            for x, number in zip(trace["x"], trace["customdata"], strict=True):
                member = param.members[round(x)]
                assert (x > round(x)) == (member in trials[number].values["augmentations"])


def test_curves_are_the_figures_of_each_epoch(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.25, 0.25], [0.5, 0.75], [0.75, 0.5]])
    charts = [valid(chart) for chart in curve_charts(search.results())]
    assert [chart.title for chart in charts] == list(TWO)
    curves = {tuple(trace["y"]) for trace in charts[0].data}
    assert curves == {(0.125, 0.25), (0.25, 0.5), (0.375, 0.75)}
    assert all(trace["x"] == [1, 2] for trace in charts[0].data)
    knee = search.best_tradeoff().number
    names = {"000 the paper's settings", f"{knee:03d} best trade-off", f"{3 - knee:03d}"}
    assert {trace["name"] for trace in charts[0].data} == names
    assert all({*trace["customdata"]} == {int(trace["name"][:3])} for trace in charts[0].data)


def test_the_hypervolume_grows_by_what_a_trial_adds(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [[0.5, 0.5], [0.25, 0.25], [1.0, 0.25]])
    assert [volume for _, volume in search.results().growth] == [0.25, 0.25, 0.375]
    assert search.results().hypervolume == Queue(search.ledger).budget.hypervolume == 0.375
    chart = hypervolume_chart(search.results())
    assert chart is not None
    assert valid(chart).alt == "Hypervolume 0.3750 after 3 trials; trial 002 raised it last."


def test_every_augmentation_has_an_axis_where_they_are_few(tmp_path: Path) -> None:
    search = made(tmp_path / "s", spread(6))
    chart = parallel_chart(search.results())
    assert chart is not None
    axes = {axis["label"]: axis for axis in valid(chart).data[0]["dimensions"]}
    members = ["crop", "high_contrast", "high_saturation", "gaussian_blur"]
    assert list(axes) == [*members, "temperature", *TWO]
    trials = search.trials()
    for member in members:
        inside = [member in trial.values["augmentations"] for trial in trials]
        assert [value > 0.5 for value in axes[member]["values"]] == inside
        assert [round(value) for value in axes[member]["values"]] == inside
    assert axes["invariance"]["values"] == pytest.approx([row[0] for row in spread(6)], abs=1e-5)
    logs = [math.log10(trial.values["temperature"]) for trial in trials]
    assert axes["temperature"]["values"] == pytest.approx(logs, abs=1e-5)
    ticks = dict(zip(axes["temperature"]["ticktext"], axes["temperature"]["tickvals"], strict=True))
    assert ticks == pytest.approx({t: math.log10(float(t)) for t in ("0.05", "0.1", "0.2", "0.5")})


def test_downloaded_numbers_are_the_settings_not_the_places(tmp_path: Path) -> None:
    results = made(tmp_path / "s", spread(4)).results()
    parallel, matrix = parallel_chart(results), matrix_chart(results)
    assert parallel is not None
    assert matrix is not None
    assert parallel.rows is not None
    assert matrix.rows is not None
    header, *lines = parallel.rows
    assert header == ["trial", "augmentations", "temperature", *TWO]
    expected = {
        t.number: [
            "+".join(t.values["augmentations"]),
            t.values["temperature"],
            *results.objectives(t).values(),
        ]
        for t in results.trials
    }
    assert {line[0]: list(line[1:]) for line in lines} == expected
    members = matrix.rows[0][1:]
    for number, *inside in matrix.rows[1:]:
        chosen = results.trials[cast(int, number)].values["augmentations"]
        assert inside == [int(member in chosen) for member in members]
    for chart in slices(results)[0]:
        assert chart.rows is not None
        key = chart.rows[0][2]
        for _, number, value, reached in chart.rows[1:]:
            trial = results.trials[cast(int, number)]
            assert value == trial.readable[cast(str, key)]
            assert reached == results.objectives(trial)["invariance"]


def test_small_numbers_keep_their_places_on_an_axis(tmp_path: Path) -> None:
    small = "\n  encoder_lr: {type: float, low: 1.0e-6, high: 9.0e-6}\n"
    chart = parallel_chart(made(tmp_path / "s", spread(4), params=small, paper=False).results())
    assert chart is not None
    (axis,) = (axis for axis in valid(chart).data[0]["dimensions"] if axis["label"] == "encoder_lr")
    assert len({*axis["values"]}) == 4
    assert axis["range"][0] <= min(axis["values"]) <= max(axis["values"]) <= axis["range"][1]


def test_every_augmentation_has_an_axis_where_they_are_many(tmp_path: Path) -> None:
    search = made(tmp_path / "s", spread(4), params=TWELVE)
    chart = parallel_chart(search.results())
    assert chart is not None
    labels = [axis["label"] for axis in valid(chart).data[0]["dimensions"]]
    param = search.space.params["augmentations"]
    assert isinstance(param, SubsetParam)
    assert labels == [*param.members, "temperature", *TWO]


def test_trials_of_the_same_set_do_not_cover_each_other(tmp_path: Path) -> None:
    search = made(tmp_path / "s", spread(6))
    chart = parallel_chart(search.results())
    assert chart is not None
    for axis in chart.data[0]["dimensions"][:4]:
        assert len({*axis["values"]}) == 6
        assert axis["range"][0] <= min(axis["values"]) <= max(axis["values"]) <= axis["range"][1]


def test_a_setting_that_a_trial_does_not_use_is_at_the_foot(tmp_path: Path) -> None:
    strong = """
  augmentations: {type: subset, members: [crop, gaussian_blur, high_contrast, high_saturation],
    strengths: {gaussian_blur: {sigma: {type: float, low: 0.5, high: 2}}}}
"""
    search = made(tmp_path / "s", spread(8), params=strong)
    chart = parallel_chart(search.results())
    assert chart is not None
    axis = next(a for a in valid(chart).data[0]["dimensions"] if a["label"] == "gaussian_blur.sigma")
    foot = dict(zip(axis["ticktext"], axis["tickvals"], strict=True))[UNUSED]
    used = ["gaussian_blur" in trial.values["augmentations"] for trial in search.trials()]
    assert True in used
    assert False in used
    assert [value > foot for value in axis["values"]] == used
    assert foot < 0.5


def test_effects_show_what_the_analysis_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "DRAWS", 50)
    monkeypatch.setattr(regression, "WARM_UP", 10)
    search = made(tmp_path / "s", spread(16))
    analyses = analyse(search.results())
    for panels in (importance_bars(analyses), effect_bars(analyses)):
        charts = [valid(chart) for chart in bar_charts("bars", panels)]
        for bars, chart in zip(panels, charts, strict=True):
            drawn = [trace for trace in chart.data if "error_x" in trace]
            assert [trace["name"] for trace in drawn] == list(bars.series)
            for trace, estimates in zip(drawn, bars.series.values(), strict=True):
                assert trace["y"] == bars.rows
                for i, estimate in enumerate(estimates):
                    ends = trace["error_x"]["array"][i], trace["error_x"]["arrayminus"][i]
                    if estimate is None:
                        assert (trace["x"][i], *ends) == (None, None, None)
                    else:
                        low, high = estimate.mean - estimate.low, estimate.high - estimate.mean
                        assert (trace["x"][i], *ends) == pytest.approx((estimate.mean, high, low), abs=1e-4)
                        assert trace["marker"]["opacity"][i] == (1 if estimate.clear else PALE)
    main = effect_bars(analyses)[0].series["main effect"]
    assert main == [member.main for member in analyses[0].ranked()]


def as_d3_does(spec: str, value: float) -> str:
    """Return a number in the format of an axis, as plotly.js writes it."""
    digits = re.fullmatch(r"\+(\.\d+)?~([fg])", spec)
    assert digits is not None, spec
    text = f"{value:+{digits[1] or ''}{digits[2]}}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


@pytest.mark.parametrize("step", [1e-6, 0.0002, 0.001, 0.0025, 0.005, 0.05, 0.5, 20.0])
def test_ticks_of_effects_differ_however_small_these_are(step: float, tmp_path: Path) -> None:
    member = MemberEffect("crop", 9, 9, Estimate(step, -step, 3 * step), Estimate(step, -step, 3 * step))
    one = Analysis("invariance", "maximize", 18, [], Attribution([member], [], 0.5))
    (chart,) = bar_charts("effects", effect_bars([one]))
    spec = chart.layout["xaxis"]["tickformat"]
    ticks = [as_d3_does(spec, i * step) for i in range(-3, 4)]
    assert len({*ticks}) == 7
    assert [float(tick) for tick in ticks] == pytest.approx([i * step for i in range(-3, 4)])


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.05, 0.1, 0.5], ["0.05", "0.1", "0.5"]),
        ([1e-4, 1e-2], ["0.0001", "0.01"]),
        ([0.10001, 0.10002, 0.10003], ["0.10001", "0.10002", "0.10003"]),
        ([10001, 10002.5, 10004], ["10001", "10002", "10004"]),
    ],
)
def test_ticks_of_settings_have_as_many_digits_as_tell_them_apart(
    values: list[float], texts: list[str]
) -> None:
    assert tick_texts(values) == texts


def test_names_are_no_markup() -> None:
    assert plain("<a href='x'>&") == "&lt;a href='x'&gt;&amp;"
