"""The trials that a sampler gets, against all trials."""

import hypothesis.strategies as st
import optuna
from hypothesis import given, settings
from optuna.trial import FrozenTrial, TrialState

from tuning.sampling.news import News

ENDS = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["ask", "end", "queue", "note", "look"]), max_size=30), st.data())
def test_what_was_told_last_of_each_trial_is_what_it_is(steps: list[str], data: st.DataObject) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study, news = optuna.create_study(), News()
    told: dict[int, FrozenTrial] = {}
    running: list[optuna.Trial] = []
    for step in [*steps, "look"]:
        match step:
            case "ask":
                running.append(study.ask())
            case "queue":
                study.enqueue_trial({"x": 1})
            case "note" if running:
                data.draw(st.sampled_from(running)).set_user_attr("epoch", len(told))
            case "end" if running:
                trial = running.pop(data.draw(st.integers(0, len(running) - 1)))
                state = data.draw(st.sampled_from(ENDS))
                study.tell(trial, 1.0 if state == TrialState.COMPLETE else None, state)
            case "look":
                over = {number for number, trial in told.items() if trial.state.is_finished()}
                fresh = news.of(study.get_trials(deepcopy=False))
                assert not over & {trial.number for trial in fresh}
                told |= {trial.number: trial for trial in fresh}
    assert [told[trial.number] for trial in study.trials] == study.trials
