"""The space file: what it resolves to, and every way it can be wrong."""

import json
from pathlib import Path

import pytest

from dcodr.augmentation_names import PAPER_13
from dcodr.config import PRESETS, dump_config
from dcodr.errors import UserError
from tuning.ledger import Ledger
from tuning.settings import SearchSettings
from tuning.space import Space, json_schema, load_space
from tuning.warm_start import first_trials

SPACES = Path(__file__).parents[2] / "search_spaces"
SINGLE_AUGS = SPACES / "single_augs.yaml"

BASE = "base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}}}\n"
TEMPERATURE = "params:\n  temperature: {type: float, low: 0.05, high: 0.5}\n"
SUBSET = (
    "params:\n  augmentations:\n    type: subset\n"
    "    members: [crop, gaussian_blur, high_contrast, high_saturation, affine]\n"
)
MIN_SCALE = "{min_scale: {type: float, low: 0.3, high: 0.8}}"
PAPERS_FIRST = (
    "the paper's setting, which is the first trial: widen it, or set search.warm_start.paper: false"
)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    return path


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
    published = PRESETS[first.dataset]
    assert first_trials(space)[0].values == space.paper_values()
    assert first.temperature == published.temperature
    assert first.augmentations == published.augmentations
    for key in ("encoder_lr", "generator_lr", "reconstruction_weight"):
        assert key not in space.params or getattr(first, key) == getattr(published, key)


@pytest.mark.parametrize("seed", range(5))
def test_the_single_augmentation_study_tries_each_of_the_13_once(seed: int) -> None:
    space = load_space(SINGLE_AUGS, search={"seed": seed})
    ledger = Ledger.create(None, space, {})
    ledger.ready()
    running: list[int] = []
    tried = []
    while ledger.over() is None:
        begun = ledger.begin()
        assert begun is not None
        tried += begun.values["augmentations"]
        running.append(begun.number)
        if len(running) == 2:  # at a time, as on two cores
            number = running.pop(0)
            figures = {"invariance": 1 / (1 + number), "informativeness": number / 13}
            ledger.note_epoch(number, 4, training={}, figures=figures, intervals={})
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
    space = load_space(SPACES / "paper_gpu.yaml", settings=settings)
    assert (space.resources.gpus_per_trial, space.resources.cpus_per_trial) == (0, 3)
    assert (space.base.device, space.base.threads) == ("cpu", 3)
    typed = load_space(SPACES / "paper_gpu.yaml", settings=["resources.gpu_type=H100"])
    assert typed.resources.gpu_type == "H100"
    assert typed.params == load_space(SPACES / "paper_gpu.yaml").params


WRONG = {
    "unknown key": (BASE + TEMPERATURE + "serch: {}\n", "line 4: serch: unknown key (did you mean search?)"),
    "unknown setting": (
        BASE + "params:\n  temprature: {type: float, low: 0.1, high: 1}\n",
        "line 3: params.temprature: temprature is no setting of a config (did you mean temperature?)",
    ),
    "wrong type": (
        BASE + "params:\n  temperature: {type: float, low: a, high: 1}\n",
        "line 3: params.temperature.low: received 'a'; should be a valid number",
    ),
    "low above high": (
        BASE + "params:\n  temperature: {type: float, low: 0.5, high: 0.1}\n",
        "line 3: params.temperature: low 0.5 is above high 0.1",
    ),
    "logarithm of 0": (
        BASE + "params:\n  temperature: {type: float, low: 0, high: 1, log: true}\n",
        "line 3: params.temperature: low 0.0 has no logarithm",
    ),
    "log and step": (
        BASE + "params:\n  temperature: {type: float, low: 0.1, high: 0.3, log: true, step: 0.1}\n",
        "log and step exclude each other",
    ),
    "uneven step": (
        BASE + "params:\n  temperature: {type: float, low: 0.1, high: 0.45, step: 0.1}\n",
        "high 0.45 is not low 0.1 plus a multiple of step 0.1",
    ),
    "empty subset": (
        BASE + "params:\n  augmentations: {type: subset, members: []}\n",
        "line 3: params.augmentations.members: received []",
    ),
    "unknown augmentation": (
        BASE + "params:\n  augmentations: {type: subset, members: [crop, sharpen]}\n",
        "line 3: params.augmentations.members: received ['crop', 'sharpen']; unknown augmentation 'sharpen'",
    ),
    "subset sizes": (
        BASE
        + "params:\n  augmentations: {type: subset, members: [crop, affine], min_size: 2, max_size: 3}\n",
        "sizes from 2 to 3 do not fit 2 members",
    ),
    "no subset": (
        BASE + "params:\n  temperature: {type: subset, members: [crop]}\n",
        "line 3: params.temperature.members: received",
    ),
    "unknown strength": (
        BASE + SUBSET + "    strengths:\n      crop: {scale: {type: float, low: 0.3, high: 0.8}}\n",
        "line 7: params.augmentations.strengths.crop.scale: received 0.3; unknown strength (did you mean "
        "min_scale?)",
    ),
    "strength out of bounds": (
        BASE + SUBSET + "    strengths:\n      crop: {min_scale: {type: float, low: 0.3, high: 1.5}}\n",
        "line 7: params.augmentations.strengths.crop.min_scale: received 1.5; should be from 0.05 to 1",
    ),
    "strengths that can cross": (
        BASE
        + SUBSET
        + "    strengths:\n      high_contrast:\n        low: {type: float, low: 1.5, high: 2.5}\n"
        "        high: {type: float, low: 2.0, high: 4.0}\n",
        "line 7: params.augmentations.strengths.high_contrast: low 2.5 is above high 2.0",
    ),
    "a strength that can cross the paper's": (
        BASE + SUBSET + "    strengths: {high_contrast: {low: {type: float, low: 1.5, high: 3.5}}}\n",
        "line 6: params.augmentations.strengths.high_contrast: low 3.5 is above high 3.0 (the paper's)",
    ),
    "strength of no member": (
        BASE + SUBSET + "    strengths: {grayscale: {}}\n",
        "line 3: params.augmentations: strengths: 'grayscale' is no member",
    ),
    "strength searched twice": (
        BASE
        + SUBSET
        + f"    strengths: {{crop: {MIN_SCALE}}}\n"
        + "  strengths.crop.min_scale: {type: float, low: 0.3, high: 0.8}\n",
        "line 7: params.strengths.crop.min_scale: is searched as a strength of augmentations too",
    ),
    "strength searched and fixed": (
        "base: {preset: synthetic, overrides: {strengths: {crop: {min_scale: 0.4}}}}\n"
        + SUBSET
        + f"    strengths: {{crop: {MIN_SCALE}}}\n",
        "line 6: params.augmentations.strengths.crop.min_scale: is fixed in base.overrides too",
    ),
    "paper's strength outside": (
        BASE + SUBSET + "    strengths: {crop: {min_scale: {type: float, low: 0.6, high: 0.8}}}\n",
        f"line 6: params.augmentations.strengths.crop.min_scale: does not allow 0.5, {PAPERS_FIRST}",
    ),
    "paper's set outside": (
        BASE + SUBSET + "    required: [affine]\n",
        "line 3: params.augmentations: does not allow ('crop', 'high_contrast', 'high_saturation', "
        f"'gaussian_blur'), {PAPERS_FIRST}",
    ),
    "required is no member": (
        BASE + SUBSET + "    required: [affin]\n",
        "line 3: params.augmentations: required: 'affin' is no member (did you mean affine?)",
    ),
    "contradictory rules": (
        BASE + SUBSET + "    required: [affine, crop]\n    excluded: [[crop, affine]]\n",
        "line 3: params.augmentations: no set is allowed: sizes from 1 to 5, required, excluded and "
        "exclusive contradict each other",
    ),
    "excluded alone": (
        BASE + SUBSET + "    excluded: [[crop]]\n",
        "line 6: params.augmentations.excluded.0: received ['crop']",
    ),
    "same choice twice": (
        BASE + "params:\n  encoder.arch: {type: categorical, choices: [small, small]}\n",
        "has the same value twice",
    ),
    "range beyond the setting": (
        BASE + "params:\n  encoder.code_dim: {type: int, low: 1, high: 128}\n",
        "line 3: params.encoder.code_dim.low: received 1; should be greater than or equal to 2",
    ),
    "unknown choice": (
        BASE + "params:\n  perceptual.backbone: {type: categorical, choices: [vgg16, vgg20]}\n",
        "line 3: params.perceptual.backbone.choices: received 'vgg20'",
    ),
    "unknown preset": ("base: {preset: mnist}\n" + TEMPERATURE, "line 1: base: unknown preset 'mnist'"),
    "no base": ("base: {}\n" + TEMPERATURE, "line 1: base: received {}; give either preset or config"),
    "wrong override": (
        "base:\n  preset: paper\n  overrides:\n    encoder:\n      arch: vit\n" + TEMPERATURE,
        "line 5: base.overrides.encoder.arch: received 'vit'",
    ),
    "unknown override": (
        "base:\n  preset: paper\n  overrides: {epoch: 3}\n" + TEMPERATURE,
        "line 3: base.overrides.epoch: unknown key (did you mean epochs?)",
    ),
    "threads in two places": (
        "base:\n  preset: paper\n  overrides: {threads: 2}\n" + TEMPERATURE,
        "line 3: base.overrides.threads: is set by resources",
    ),
    "searched and fixed": (
        "base:\n  preset: synthetic\n  overrides: {temperature: 0.2}\n" + TEMPERATURE,
        "line 5: params.temperature: is fixed in base.overrides too",
    ),
    "without effect on any method that is trained": (
        BASE + "params:\n  method: {type: categorical, choices: [dcodr, lord]}\n"
        "  drnet.adversarial_weight: {type: float, low: 0.01, high: 1}\n",
        "line 4: params.drnet.adversarial_weight: has no effect on dcodr or lord",
    ),
    "augmentations without views": (
        "base: {preset: synthetic, overrides: {method: ml_vae}}\n" + SUBSET,
        "line 3: params.augmentations: has no effect on ml_vae",
    ),
    "unknown method": (
        BASE + "params:\n  method: {type: categorical, choices: [lard]}\n"
        "  lord.noise: {type: float, low: 0.1, high: 2}\n",
        "line 3: params.method.choices: received 'lard'",
    ),
    "one domain for drnet": (
        "base: {preset: synthetic, overrides: {method: drnet}}\n"
        "params:\n  batch.n_domains: {type: int, low: 1, high: 4}\n",
        "batch.n_domains is 1, but drnet compares images of two domains",
    ),
    "without effect": (
        "base: {preset: synthetic, overrides: {method: dcodr_norec}}\n"
        "params:\n  generator_lr: {type: float, low: 1e-4, high: 1e-2}\n",
        "line 3: params.generator_lr: has no effect on dcodr_norec",
    ),
    "paper's setting outside": (
        BASE + "params:\n  temperature: {type: float, low: 0.2, high: 0.5}\n",
        "line 3: params.temperature: does not allow 0.1, the paper's setting",
    ),
    "seed searched": (
        BASE + "params:\n  seed: {type: int, low: 0, high: 3}\n",
        "params.seed: cannot be searched",
    ),
    "nothing searched": (BASE + "params: {}\n", "line 2: params: received {}"),
    "no objective": (BASE + TEMPERATURE + "objectives: {}\n", "line 4: objectives"),
    "wrong direction": (
        BASE + TEMPERATURE + "objectives: {invariance: up}\n",
        "line 4: objectives.invariance: received",
    ),
    "no figure to measure gains in": (
        BASE + TEMPERATURE + "objectives:\n  effective_rank: maximize\n",
        "line 5: objectives.effective_rank: cannot be an objective; allowed: invariance, informativeness, "
        "image_informativeness, domain_accuracy, accuracy/NAME, error/NAME",
    ),
    "a preference for no objective": (
        BASE + TEMPERATURE + "search:\n  preference:\n    invarianse: 2\n",
        "line 6: search.preference.invarianse: is no objective (did you mean invariance?); allowed: "
        "invariance, informativeness",
    ),
    "a preference of nothing": (
        BASE + TEMPERATURE + "search:\n  preference:\n    invariance: 0\n",
        "line 6: search.preference.invariance: received 0; should be greater than 0",
    ),
    "a preference without end": (
        BASE + TEMPERATURE + "search: {preference: {invariance: .inf}}\n",
        "line 4: search.preference.invariance: received inf; should be a finite number",
    ),
    "a preference in words": (
        BASE + TEMPERATURE + "search: {preference: {invariance: much}}\n",
        "line 4: search.preference.invariance: received 'much'; should be a valid number",
    ),
    "no trials": (BASE + TEMPERATURE + "search: {trials: 0}\n", "line 4: search.trials: received 0"),
    "unknown sampler": (
        BASE + TEMPERATURE + "search: {sampler: bayes}\n",
        "line 4: search.sampler: received 'bayes'; should be 'gp', 'tpe', 'nsga2' or 'random'",
    ),
    "scheduler that stops nothing": (
        "base: {preset: synthetic, overrides: {epochs: 4, evaluate_every: 4}}\n"
        + TEMPERATURE
        + "search:\n  trials: 3\n  scheduler: {}\n",
        "line 6: search.scheduler: stops nothing: none of epochs 1 to 3 is evaluated",
    ),
    "scheduler that begins too late": (
        "base: {preset: synthetic, overrides: {epochs: 4, evaluate_every: 1}}\n"
        + TEMPERATURE
        + "search: {scheduler: {grace_period: 4}}\n",
        "line 4: search.scheduler: stops nothing",
    ),
    "confirmed by one seed": (
        BASE + TEMPERATURE + "search: {confirm: {seeds: 1}}\n",
        "line 4: search.confirm.seeds: received 1; should be greater than or equal to 2",
    ),
    "one and a half GPUs": (
        BASE + TEMPERATURE + "resources: {gpus_per_trial: 1.5}\n",
        "neither whole nor a share",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_wrong_spaces_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_space(write(tmp_path, text))
    assert message in str(caught.value)
    assert "space.yaml" in str(caught.value)


def test_the_command_line_replaces_what_the_file_says(tmp_path: Path) -> None:
    path = write(tmp_path, BASE + TEMPERATURE + "  encoder_lr: {type: float, low: 1e-5, high: 1e-2}\n")
    space = load_space(
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


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("temperature", "--set temperature: expected KEY=VALUE"),
        ("temperature=hot", "--set temperature=hot: received 'hot'"),
        ("heat=1", "--set heat=1: unknown key"),
        ("encoder_lr=0.1", "nothing is left to search"),
    ],
)
def test_wrong_settings_on_the_command_line_are_refused(setting: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, BASE + "params:\n  encoder_lr: {type: float, low: 1e-5, high: 1e-2}\n")
    with pytest.raises(UserError) as caught:
        load_space(path, settings=[setting])
    assert message in str(caught.value)


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
    space = load_space(path, settings=["strengths.crop.min_scale=0.7"])
    assert "strengths.crop.min_scale" not in space.paper_values()
    assert space.config(space.paper_values()).strengths == {"crop": {"min_scale": 0.7}}


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
