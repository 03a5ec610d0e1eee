"""Arrivals, ratios and tables of searches say what was reached, and what was not."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.search_efficiency import ratios
from benchmarks.search_efficiency.front import holding_most
from benchmarks.search_efficiency.goals import Goal, arrival, goals_of, volumes
from benchmarks.search_efficiency.histories import Conditions, Failure, Task, note, noted
from benchmarks.search_efficiency.report import Costs, breakdowns, costs, on_grid, proposals, quartiles, table
from benchmarks.search_efficiency.simulator import History

FRONT = np.array([[0.8, 0.6], [0.6, 0.9], [0.4, 0.4]])


def history(epochs: float, workers: int = 1, proposal: float = np.nan) -> History:
    """A search that reaches half of the hypervolume at first, and all of it after some epochs."""
    return History(
        epochs=np.array([4.0, epochs]),
        clock=np.array([4.0, epochs]) / workers,
        reached=np.array([[0.5, 0.5], [1.0, 0.5]]),
        proposal=proposal,
    )


HALF = Goal((0, 0), 0.5, 0.25)
WHOLE = Goal((0, 0), 1.0, 0.5)


def test_goals_are_shares_of_the_best_front_from_each_reference() -> None:
    found = {(goal.reference, goal.share): goal.volume for goal in goals_of(FRONT)}
    assert len(found) == 6
    assert found[(0, 0), 0.9] == pytest.approx(0.9 * (0.8 * 0.6 + 0.6 * 0.3))
    assert found[(0.5, 0.5), 0.98] == pytest.approx(0.98 * (0.3 * 0.1 + 0.1 * 0.3))
    assert str(WHOLE) == "100% of the best known hypervolume from (0, 0)"


def test_hypervolume_counts_what_is_better_than_the_reference() -> None:
    reached = np.array([[0.5, 0.5], [0.4, 0.4], [1.0, 0.25], [0.5, 1.0]])
    assert volumes(reached, (0, 0)).tolist() == [0.25, 0.25, 0.375, 0.625]
    assert volumes(reached, (0.25, 0.25)).tolist() == [0.0625, 0.0625, 0.0625, 0.1875]


def test_arrival_is_the_first_time_the_goal_is_reached() -> None:
    searched = history(12, workers=2)
    assert arrival(searched, HALF) == (4, 2)
    assert arrival(searched, WHOLE) == (12, 6)
    assert arrival(searched, Goal((0, 0), 1, 0.6)) == (np.inf, np.inf)
    assert arrival(searched, Goal((0.5, 0.4), 1, 0.04)) == (12, 6)


def test_curves_keep_their_last_value() -> None:
    assert on_grid(history(12), (0, 0), np.array([2.0, 4.0, 9.0, 99.0])).tolist() == [0, 0.25, 0.25, 0.5]


SEARCHES = {
    **{Task("random", 2, seed): history(100 + seed, 2) for seed in range(10)},
    **{Task("ours", 2, seed): history(50 + seed, 2, proposal=0.08) for seed in range(10)},
    **{Task("slow", 2, seed): history(30 * seed + 70, 2) for seed in range(5)},
}
ARRIVED = {task: arrival(searched, WHOLE) for task, searched in SEARCHES.items()}


def test_a_search_that_has_not_arrived_counts_as_its_budget_and_is_told_apart() -> None:
    slow = costs(ARRIVED, "slow", 2, "epochs", budget=140)
    assert slow.counted.tolist() == [70, 100, 130, 140, 140]
    assert slow.arrived == 3
    assert quartiles(slow) == "130 (100->140)"
    clock = costs(ARRIVED, "slow", 2, "clock", budget=140)
    assert clock.counted.tolist() == [35, 50, 65, 70, 70]
    assert Costs({0: 90.0, 1: np.inf}, 70.0).counted.tolist() == [90, 90]  # workers that waited
    ours = costs(ARRIVED, "ours", 2, "epochs", budget=140)
    assert ours.of(slow).counted.tolist() == [50, 51, 52, 53, 54]


def test_the_table_compares_with_random_and_pair_by_pair_with_ours() -> None:
    budgets = {"random": 1000, "ours": 140, "slow": 140}
    lines = table(ARRIVED, "epochs", budgets).splitlines()[2:]
    random, ours, slow = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    assert random[:5] == ["random", "2", "10/10", "104 (102-107)", ""]
    assert ours[2:4] == ["10/10", "54 (52-57)"]
    assert ours[4].startswith("0.52 (0.")
    assert ours[5:] == ["", ""]
    assert slow[:4] == ["slow", "2", "3/5", "130 (100->140)"]
    logs = np.log(np.array([70, 100, 130, 140, 140]) / np.array([50, 51, 52, 53, 54]))
    assert slow[4].startswith("1.25 (")  # its median arrived
    assert slow[5].startswith(f">{np.exp(logs.mean()):.2f} (")
    assert slow[6] == "n = 5"  # too few for a p-value
    late = table(ARRIVED, "clock", {**budgets, "slow": 99}).splitlines()[-1]
    assert late.split("|")[3:6] == [" 1/5 ", " >49.5 (>49.5->49.5) ", " >0.95 (0.67-0.98) "]
    assert "| ours | 2 | 80 |" in proposals(SEARCHES)
    assert "slow" not in proposals(SEARCHES)
    assert "| quick | 1 | 0.4 |" in proposals({Task("quick", 1, 0): history(9, proposal=0.0004)})


def test_intervals_of_ratios_cover_the_truth() -> None:
    """Of log-normal costs the medians' ratio is known: e ** 0.5; 95 % intervals hold it nearly always."""
    rng, inside, paired = np.random.default_rng(0), 0, 0
    for seed in range(60):
        logs, shared = rng.normal(0, 0.4, (2, 40)), rng.normal(0, 2, 40)
        of = ratios.of_medians(np.exp(logs[0] + 0.5), np.exp(logs[1]), seed)
        inside += of.low <= np.exp(0.5) <= of.high
        of = ratios.of_pairs(np.exp(logs[0] + shared + 0.5), np.exp(logs[1] + shared), seed)
        paired += of.low <= np.exp(0.5) <= of.high
        assert of.high / of.low < 2  # what the pairs share does not widen it
    assert inside >= 53
    assert paired >= 51


def test_equal_costs_have_a_ratio_of_one_and_no_evidence() -> None:
    assert str(ratios.of_pairs([3, 5], [3, 5])) == "1.00 (1.00-1.00)"
    assert ratios.p_value([3, 5], [3, 5]) == 1
    assert ratios.p_value(np.arange(1, 9), 2.5 * np.arange(1, 9)) == pytest.approx(2 / 2**8)


def test_twenty_pairs_have_a_p_value_and_count_up_to_the_smaller_budget() -> None:
    searches = {Task("ours", 1, seed): history(200 + seed) for seed in range(20)}
    searches |= {Task("short", 1, seed): history(150 if seed else 90) for seed in range(20)}
    arrived = {task: arrival(searched, WHOLE) for task, searched in searches.items()}
    short = table(arrived, "epochs", {"ours": 600, "short": 100}).splitlines()[-1].split("|")
    # One of the pairs differs: 90 epochs against the 100 that ours needs at least.
    assert short[6].strip() == f"~{(90 / 100) ** (1 / 20):.2f} (0.98-1.00)"
    assert 0.3 < float(short[7]) <= 1


def test_searches_that_broke_down_are_named_with_their_error() -> None:
    broken = {Task("peer", n, seed): Failure("ImportError: no\n module") for n in (1, 8) for seed in range(2)}
    once: dict[Task, History | Failure] = {
        Task("other", 1, 0): Failure("ValueError: x" + "y" * 999),
        Task("other", 1, 1): history(9),
    }
    results: dict[Task, History | Failure] = {**SEARCHES, **broken, **once}
    lines = breakdowns(results)
    assert lines[0] == "peer cannot run: ImportError: no module (4 of 4 searches)"
    assert lines[1].startswith("other cannot run: ValueError: xyyy")
    assert lines[1].endswith("y (1 of 2 searches)")
    assert len(lines[1]) < 400
    assert len(lines) == 2
    assert breakdowns(SEARCHES) == []


def test_finished_searches_are_read_again_for_the_same_conditions(tmp_path: Path) -> None:
    path, short, long = tmp_path / "histories.jsonl", {"epochs": 200}, {"epochs": 400}
    wanted = dict.fromkeys(SEARCHES, short)
    assert noted(path, wanted) == {}
    for task, searched in SEARCHES.items():
        note(path, task, searched, short)
    assert noted(path, dict.fromkeys(SEARCHES, long)) == {}
    slow = {task: long if task.row == "ours" else short for task in SEARCHES if task.row != "random"}
    assert {task.row for task in noted(path, slow)} == {"slow"}
    again = noted(path, wanted)
    assert [*again] == [*SEARCHES]
    for task, searched in SEARCHES.items():
        for name in ("epochs", "clock", "reached", "proposal"):
            np.testing.assert_allclose(getattr(again[task], name), getattr(searched, name))


def test_a_line_that_an_interruption_cut_off_is_removed(tmp_path: Path) -> None:
    path, (first, second, *_) = tmp_path / "histories.jsonl", SEARCHES
    wanted: dict[Task, Conditions] = {first: {}, second: {}}
    note(path, first, SEARCHES[first], {})
    note(path, second, SEARCHES[second], {})
    path.write_text(path.read_text()[:-20])
    assert [*noted(path, wanted)] == [first]
    note(path, second, SEARCHES[second], {})
    assert [*noted(path, wanted)] == [first, second]


def test_the_members_to_train_hold_most_of_the_front() -> None:
    # Areas from (0.5, 0.5): alone 0.06, 0.12, 0.02; after the second, the first adds 0.02 and the third 0.01.
    front = np.array([[0.8, 0.7], [0.7, 1.1], [0.9, 0.55], [0.4, 1.2]])
    assert holding_most(front, 1) == [1]
    assert holding_most(front, 3) == [1, 0, 2]
    assert sorted(holding_most(front, 9)) == [0, 1, 2, 3]
