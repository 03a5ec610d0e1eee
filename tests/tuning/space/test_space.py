"""The space file: the space that it resolves to, and the file that is written for a space."""

import json
from pathlib import Path

import pytest

from dcodr.augmentations.names import PAPER_13
from dcodr.config import PRESETS, Config, EncoderConfig, dump_config
from dcodr.config.paper_settings import paper_config
from dcodr.errors import UserError
from dcodr.strict_yaml import StrictModel, parse_yaml
from tests.tuning.space.space_files import BASE, MIN_SCALE, SPACES, SUBSET, TEMPERATURE, write
from tuning.driver.warm_start import first_trials
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space, json_schema, load_space
from tuning.space.params import CategoricalParam, FloatParam, IntParam, Param, SubsetParam
from tuning.space.settings import Confirm, Resources, SchedulerSettings, SearchSettings, WarmStart
from tuning.space.space import load_space_with_options

SINGLE_AUGS = SPACES / "single_augs.yaml"


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_spaces_are_valid_and_name_their_schema(path: Path) -> None:
    assert load_space(path).params
    assert path.read_text().startswith("# yaml-language-server: $schema=space.schema.json\n")


@pytest.mark.parametrize(
    "path", sorted(set(SPACES.glob("*.yaml")) - {SINGLE_AUGS}), ids=lambda path: path.stem
)
def test_shipped_searches_begin_with_the_papers_settings(path: Path) -> None:
    space = load_space(path)
    first = space.config(space.paper_values())
    published = paper_config(first.method, first.dataset)
    assert first_trials(space)[0].values == space.paper_values()
    assert first.temperature == published.temperature
    assert first.lr_schedule == published.lr_schedule
    assert first.method != "drnet" or first.drnet == published.drnet
    assert first.augmentations == published.augmentations
    for key in {"encoder_lr", "generator_lr", "reconstruction_weight"} - {
        *space.search.warm_start.paper_with
    }:
        assert key not in space.params or getattr(first, key) == getattr(published, key)


@pytest.mark.parametrize("seed", range(5))
def test_the_single_augmentation_study_tries_each_of_the_13_once(seed: int) -> None:
    space = load_space(SINGLE_AUGS, search={"seed": seed})
    ledger = Ledger.create(None, space, {})
    ledger.ready(SpaceSampler)
    running: list[int] = []
    tried = []
    queue = Queue(ledger)
    while queue.over() is None:
        begun = queue.begin()
        assert begun is not None
        tried += begun.values["augmentations"]
        running.append(begun.number)
        if len(running) == 2:  # at a time, as on two cores
            number = running.pop(0)
            metrics = {"invariance": 1 / (1 + number), "informativeness": number / 13}
            ledger.note_epoch(number, 4, training={}, metrics=metrics, intervals={})
            ledger.end(number, full_budget=True)
    assert sorted(tried) == sorted(PAPER_13)


def test_the_single_augmentation_study_runs_on_other_datasets() -> None:
    base = load_space(SINGLE_AUGS, dataset="smallnorb").base
    assert (base.dataset, base.method, base.encoder.arch) == ("smallnorb", "dcodr_norec", "small")


def test_the_shipped_schema_is_the_one_the_command_writes() -> None:
    shipped = json.loads((SPACES / "space.schema.json").read_text())
    assert shipped == json.loads(json_schema())
    assert shipped["additionalProperties"] is False


def test_a_space_survives_json(tmp_path: Path) -> None:
    space = load_space(SPACES / "augs.yaml")
    assert Space.model_validate_json(space.model_dump_json()) == space


def test_resources_of_the_command_line_replace_those_of_the_file() -> None:
    settings = ["resources.gpus_per_trial=0", "resources.cpus_per_trial=3"]
    space = load_space_with_options(SPACES / "paper_gpu.yaml", settings=settings)
    assert (space.resources.gpus_per_trial, space.resources.cpus_per_trial) == (0, 3)
    assert (space.base.device, space.base.threads) == ("cpu", 3)
    typed = load_space_with_options(SPACES / "paper_gpu.yaml", settings=["resources.gpu_type=H100"])
    assert typed.resources.gpu_type == "H100"
    assert typed.params == load_space(SPACES / "paper_gpu.yaml").params


def test_set_changes_settings_of_the_search(tmp_path: Path) -> None:
    settings = ["search.sampler=random", "search.confirm.seeds=5", "search.trials=7"]
    changed = load_space_with_options(SPACES / "strengths.yaml", settings=settings)
    unchanged = load_space(SPACES / "strengths.yaml").search
    update = {"sampler": "random", "trials": 7, "confirm": Confirm(top=4, seeds=5)}
    assert changed.search == unchanged.model_copy(update=update)
    assert (
        load_space_with_options(
            SPACES / "strengths.yaml", settings=settings, search={"trials": 9}
        ).search.trials
        == 9
    )
    assert (
        load_space_with_options(SPACES / "strengths.yaml", settings=["search.confirm=null"]).search.confirm
        is None
    )
    with pytest.raises(UserError, match=r"confirm\.seeds: .*received 1"):
        load_space_with_options(SPACES / "strengths.yaml", settings=["search.confirm.seeds=1"])
    with pytest.raises(UserError, match="samplr"):
        load_space_with_options(SPACES / "strengths.yaml", settings=["search.samplr=random"])
    with pytest.raises(UserError, match=r"search\.scheduler: stops nothing"):
        load_space_with_options(SPACES / "strengths.yaml", settings=["search.scheduler.grace_period=9"])


def test_the_command_line_replaces_what_the_file_says(tmp_path: Path) -> None:
    path = write(tmp_path, BASE + TEMPERATURE + "  encoder_lr: {type: float, low: 1e-5, high: 1e-2}\n")
    space = load_space_with_options(
        path,
        dataset="cars3d",
        data="x.h5",
        settings=["temperature=0.3", "batch.n_domains=2"],
        search={"trials": 3, "seed": None},
    )
    assert space.base.dataset == "cars3d"
    assert space.base.data == "x.h5"
    assert space.base.temperature == 0.3
    assert space.base.batch.n_domains == 2
    assert space.base.encoder.arch == "small"
    assert list(space.params) == ["encoder_lr"]
    assert space.search.trials == 3


def test_methods_are_searched_together_with_settings_of_their_own(tmp_path: Path) -> None:
    text = """params:
  method: {type: categorical, choices: [dcodr, simclr, lord, ml_vae, drnet]}
  temperature: {type: float, low: 0.05, high: 0.5}
  simclr.projection_dim: {type: int, low: 8, high: 128}
  lord.noise: {type: float, low: 0.1, high: 2}
  ml_vae.kl_weight: {type: float, low: 0.1, high: 10, log: true}
  drnet.discriminator_lr: {type: float, low: 1e-4, high: 1e-2, log: true}
"""
    space = load_space(write(tmp_path, BASE + text))
    config = space.config({**space.paper_values(), "method": "lord", "lord.noise": 0.5})
    assert (config.method, config.lord.noise) == ("lord", 0.5)
    assert (config.ml_vae.kl_weight, config.drnet.discriminator_lr) == (1.0, 2e-3)


def test_an_exported_config_can_be_the_base(tmp_path: Path) -> None:
    best = PRESETS["synthetic"].model_copy(update={"temperature": 0.4, "epochs": 7})
    (tmp_path / "best.yaml").write_text(dump_config(best, {"search": "augs"}))
    space = load_space(write(tmp_path, "base: {config: best.yaml}\n" + TEMPERATURE))
    assert space.base.epochs == 7
    assert space.paper_values() == {"temperature": 0.1}


@pytest.mark.parametrize("outside", [SUBSET + "    required: [affine]\n", TEMPERATURE.replace("0.05", "0.2")])
def test_a_search_need_not_begin_with_the_papers_settings(outside: str, tmp_path: Path) -> None:
    load_space(write(tmp_path, BASE + outside + "search: {warm_start: {paper: false}}\n"))


def test_strengths_are_searched_where_their_member_is(tmp_path: Path) -> None:
    text = BASE + SUBSET + "    strengths: {crop: " + MIN_SCALE + "}\n"
    space = load_space(write(tmp_path, text))
    values = space.paper_values()
    assert values["strengths.crop.min_scale"] == 0.5
    assert space.config(values | {"strengths.crop.min_scale": 0.7}).strengths == {"crop": {"min_scale": 0.7}}
    without = space.paper_values({"augmentations": ("gaussian_blur",)})
    assert without == {"augmentations": ("gaussian_blur",)}
    assert space.values_of(space.config(without)) == without
    assert space.reject_reason(values) is None
    rejected = space.reject_reason(values | {"strengths.crop.min_scale": 0.9})
    assert rejected == "strengths.crop.min_scale: 0.9 is not between 0.3 and 0.8"
    rejected = space.reject_reason({"augmentations": ("grayscale",)})
    assert rejected == "augmentations: ('grayscale',) is not allowed"


def test_a_strength_fixed_on_the_command_line_is_not_searched(tmp_path: Path) -> None:
    path = write(tmp_path, BASE + SUBSET + "    strengths: {crop: " + MIN_SCALE + "}\n")
    space = load_space_with_options(path, settings=["strengths.crop.min_scale=0.7"])
    assert "strengths.crop.min_scale" not in space.paper_values()
    assert space.config(space.paper_values()).strengths == {"crop": {"min_scale": 0.7}}


def test_mappings_on_the_command_line_fix_all_settings_in_them() -> None:
    settings = ["encoder={code_dim: 32}", "strengths={crop: {min_scale: 0.4}}"]
    space = load_space_with_options(SPACES / "every_setting.yaml", settings=settings)
    assert space.base.encoder.code_dim == 32
    assert space.base.encoder.arch == "small"
    assert "encoder.code_dim" not in space.params
    param = space.params["augmentations"]
    assert isinstance(param, SubsetParam)
    assert "min_scale" not in param.strengths["crop"]


def test_first_trials_are_found_beside_the_space_file(tmp_path: Path) -> None:
    warm_start = "{configs: [best.yaml, /a.yaml], searches: [../runs/cars], ranking: ranking.csv}"
    text = BASE + TEMPERATURE + f"search: {{warm_start: {warm_start}}}\n"
    found = load_space(write(tmp_path, text), search={"trials": 3}).search.warm_start
    assert found.configs == (str(tmp_path / "best.yaml"), "/a.yaml")
    assert found.searches == (str(tmp_path.parent / "runs" / "cars"),)
    assert found.ranking == str(tmp_path / "ranking.csv")


@pytest.mark.parametrize(
    ("settings", "startup"),
    [({}, 12), ({"trials": 500}, 24), ({"trials": 1}, 2), ({"trials": 500, "startup_trials": 60}, 60)],
)
def test_half_of_the_trials_are_random_unless_the_space_says_otherwise(
    settings: dict[str, int], startup: int
) -> None:
    assert SearchSettings.model_validate(settings).startup == startup


@pytest.mark.parametrize(
    ("written", "scheduler"),
    [
        ("", SchedulerSettings()),
        ("search: {trials: 3}\n", SchedulerSettings()),
        ("search: {scheduler: null}\n", None),
    ],
)
def test_early_stopping_is_on_unless_the_space_turns_it_off(
    written: str, scheduler: SchedulerSettings | None, tmp_path: Path
) -> None:
    assert load_space(write(tmp_path, BASE + TEMPERATURE + written)).search.scheduler == scheduler


@pytest.mark.parametrize("settings", [[], ["search.trials=3"]])
def test_a_space_without_evaluations_before_the_end_has_no_early_stopping(
    settings: list[str], tmp_path: Path
) -> None:
    base = "base: {preset: synthetic, overrides: {epochs: 4, evaluate_every: 4}}\n"
    space = load_space_with_options(write(tmp_path, base + TEMPERATURE), settings=settings)
    assert space.search.scheduler is None


def test_what_the_papers_method_does_not_use_need_not_hold_its_settings(tmp_path: Path) -> None:
    noise = "  lord.noise: {type: float, low: 2.0, high: 3.0}\n"
    methods = "  method: {type: categorical, choices: [dcodr, lord]}\n"
    space = load_space(write(tmp_path, BASE + TEMPERATURE + noise + methods))
    assert space.paper_values() == {"temperature": 0.1, "method": "dcodr"}
    assert space.values_of(space.base.model_copy(update={"method": "lord"})) == {
        "method": "lord",
        "lord.noise": 1.0,
    }
    assert space.reject_reason({"method": "lord", "lord.noise": 1.0}) == "lord.noise: 1.0 is not allowed"
    assert space.reject_reason({"method": "lord", "lord.noise": 2.5}) is None


NUMBERS = [("010", 10), ("030", 30), ("0o10", 8), ("0x10", 16), ("+7", 7), ("0", 0)]


@pytest.mark.parametrize(("written", "number"), NUMBERS)
def test_whole_numbers_are_those_of_yaml_1_2(written: str, number: int, tmp_path: Path) -> None:
    text = BASE + TEMPERATURE + f"search: {{trials: {number + 1}, seed: {written}}}\n"
    space = load_space_with_options(write(tmp_path, text), settings=[f"seed={written}"])
    assert (space.search.seed, space.base.seed) == (number, number)


@pytest.mark.parametrize(
    ("written", "number"), [(".5", 0.5), ("1e-3", 0.001), ("2.", 2), ("+1E0", 1), ("0.10", 0.1), ("1", 1)]
)
def test_real_numbers_are_those_of_yaml_1_2(written: str, number: float, tmp_path: Path) -> None:
    path = write(tmp_path, BASE + TEMPERATURE)
    assert load_space_with_options(path, settings=[f"encoder_lr={written}"]).base.encoder_lr == number


def made_in_python() -> Space:
    """Return a space of every kind of parameter, whose base is nowhere the default."""
    search = SearchSettings(
        trials=7,
        seed=3,
        scheduler=SchedulerSettings(reduction_factor=3.0),
        warm_start=WarmStart(paper=False, ranking=str(SPACES / "paper_ranking.csv")),
        confirm=Confirm(),
    )
    text = SUBSET + "    strengths: {crop: " + MIN_SCALE + "}\n"
    return Space(
        name="made",
        base=Config(
            dataset="1e3",
            data="0o17",
            temperature=0.17,
            encoder_lr=1e-05,
            encoder=EncoderConfig(arch="small", weights=None),
            strengths={"affine": {"degrees": 3.0}},
            threads=2,
            device="cpu",
        ),
        params={
            "temperature": FloatParam(type="float", low=1e-05, high=0.5, log=True),
            "batch.n_domains": IntParam(type="int", low=2, high=8, step=2),
            "encoder.arch": CategoricalParam(type="categorical", choices=("small", "resnet18")),
            **parse_yaml(text, "subset").validate(Params).params,
        },
        objectives={"informativeness": "maximize", "invariance": "maximize"},
        search=search,
        resources=Resources(cpus_per_trial=2),
    )


class Params(StrictModel):
    """The part of a space file that holds parameters."""

    params: dict[str, Param]


def test_a_space_made_in_python_is_written_as_a_file_of_the_same_space(tmp_path: Path) -> None:
    space = made_in_python()
    (tmp_path / "made.yaml").write_text(space.file_text())
    read = load_space(tmp_path / "made.yaml")
    assert read.model_copy(update={"text": ""}) == space
    assert list(read.objectives) == list(space.objectives)
    assert read.file_text() == space.file_text()


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_space_without_its_text_is_written_again(path: Path, tmp_path: Path) -> None:
    space = load_space(path).model_copy(update={"text": ""})
    again = tmp_path / path.name
    again.write_text(space.file_text())
    assert load_space(again).model_copy(update={"text": ""}) == space
