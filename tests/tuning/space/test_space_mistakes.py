"""Mistakes in a space file and in options: each is refused, by line and with the remedy, all at once."""

from pathlib import Path
from typing import Any

import pytest

from dcodr.errors import UserError
from tests.tuning.space.space_files import BASE, MIN_SCALE, PAPERS_FIRST, SUBSET, TEMPERATURE, write
from tuning.space import load_space
from tuning.space.space import load_space_with_options

WRONG = {
    "unknown key": (BASE + TEMPERATURE + "serch: {}\n", "line 4: serch: unknown key (did you mean search?)"),
    "unknown setting": (
        BASE + "params:\n  temprature: {type: float, low: 0.1, high: 1}\n",
        "line 3: params.temprature: temprature is not a setting of a config (did you mean temperature?)",
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
        "line 6: params.augmentations.strengths.grayscale: received {}; 'grayscale' is not a member",
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
        "line 6: params.augmentations.strengths.crop.min_scale: does not allow 0.5, "
        f"{PAPERS_FIRST % 'strengths.crop.min_scale'}",
    ),
    "paper's encoder outside": (
        BASE.replace("arch: small, ", "")
        + "params:\n  encoder.arch: {type: categorical, choices: [small]}\n",
        f"line 3: params.encoder.arch: does not allow 'resnet50', {PAPERS_FIRST % 'encoder.arch'}",
    ),
    "paper's set outside": (
        BASE + SUBSET + "    required: [affine]\n",
        "line 3: params.augmentations: does not allow ('crop', 'high_contrast', 'high_saturation', "
        f"'gaussian_blur'), {PAPERS_FIRST % 'augmentations'}",
    ),
    "required is not a member": (
        BASE + SUBSET + "    required: [affin]\n",
        "line 6: params.augmentations.required: received ['affin']; 'affin' is not a member (did you mean",
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
        BASE
        + "params:\n  encoder.arch:\n    type: categorical\n    choices:\n      - small\n      - small\n",
        "line 7: params.encoder.arch.choices.1: received 'small'; is the choice 'small' again: remove one",
    ),
    "same number as two kinds": (
        BASE + "params:\n  temperature: {type: categorical, choices: [0.5, 1, 1.0]}\n",
        "line 3: params.temperature.choices.2: received 1.0; is the choice 1 again: remove one",
    ),
    "same number with two spellings": (
        BASE + "params:\n  temperature: {type: categorical, choices: [0.1, 0.10]}\n",
        "params.temperature.choices.1: received 0.1; is the choice 0.1 again",
    ),
    "zero with two signs": (
        BASE + "params:\n  reconstruction_weight: {type: categorical, choices: [-0.0, 0.0, 0.3]}\n",
        "params.reconstruction_weight.choices.1: received 0.0; is the choice -0.0 again",
    ),
    "true and 1": (
        BASE + "params:\n  lr_warmup_epochs: {type: categorical, choices: [1, true]}\n",
        "params.lr_warmup_epochs.choices.1: received True; is the choice 1 again",
    ),
    "trials of different lengths": (
        BASE + "params:\n  epochs: {type: int, low: 2, high: 4}\n",
        "line 3: params.epochs: cannot be searched: early stopping compares trials of one length",
    ),
    "range beyond the setting": (
        BASE + "params:\n  encoder.code_dim: {type: int, low: 1, high: 128}\n",
        "line 3: params.encoder.code_dim.low: received 1; should be greater than or equal to 2",
    ),
    "unknown choice": (
        BASE + "params:\n  perceptual.backbone: {type: categorical, choices: [vgg16, vgg20]}\n",
        "line 3: params.perceptual.backbone.choices.1: received 'vgg20'",
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
        "line 3: params.method.choices.0: received 'lard'",
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
    "nothing searched": (
        BASE + "params: {}\n",
        "line 2: params: received {}; should have at least 1 entry",
    ),
    "values without a kind": (
        BASE + "params: {temperature: [0.1, 0.5]}\n",
        "line 2: params.temperature: received [0.1, 0.5]; should be a mapping",
    ),
    "words for a mapping": (
        BASE + TEMPERATURE + "search: much\n",
        "line 4: search: received 'much'; should be a mapping",
    ),
    "no objective": (BASE + TEMPERATURE + "objectives: {}\n", "line 4: objectives"),
    "wrong direction": (
        BASE + TEMPERATURE + "objectives: {invariance: up}\n",
        "line 4: objectives.invariance: received",
    ),
    "no figure to measure gains in": (
        BASE + TEMPERATURE + "objectives:\n  effective_rang: maximize\n",
        "line 5: objectives.effective_rang: cannot be an objective (did you mean effective_rank?); allowed: "
        "invariance, informativeness, image_informativeness, domain_accuracy, effective_rank, code_variance, "
        "accuracy/NAME, retrieval_top1/NAME, retrieval_recall_at_5/NAME, retrieval_recall_at_10/NAME, "
        "error/NAME, or package.module:attribute",
    ),
    "an objective that is the same for all trials": (
        BASE + TEMPERATURE + "objectives:\n  chance/domain: maximize\n",
        "line 5: objectives.chance/domain: cannot be an objective: it is the same for all trials",
    ),
    "a preference for no objective": (
        BASE + TEMPERATURE + "search:\n  preference:\n    invarianse: 2\n",
        "line 6: search.preference.invarianse: is not an objective (did you mean invariance?); allowed: "
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
        "line 4: search.sampler: received 'bayes'; should be 'gp', 'tpe', 'nsga2', 'random', or package.",
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
        "line 4: resources.gpus_per_trial: received 1.5; should be less than or equal to 1",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_wrong_spaces_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_space(write(tmp_path, text))
    assert message in str(caught.value)
    assert "space.yaml" in str(caught.value)


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
        load_space_with_options(path, settings=[setting])
    assert message in str(caught.value)


def told(path: Path, **options: Any) -> list[str]:
    """Return the messages about a space file, a line for each mistake, without the allowed values."""
    with pytest.raises(UserError) as caught:
        load_space_with_options(path, **options)
    assert len(set(str(caught.value).splitlines())) == len(str(caught.value).splitlines())
    lines = (line.removeprefix(f"{path}, ") for line in str(caught.value).splitlines())
    return [line.partition("; allowed")[0] for line in lines]


def test_all_mistakes_of_a_space_are_told_at_once(tmp_path: Path) -> None:
    text = """base:
  preset: synthetic
  overrides:
    encoder: {arch: vit, weights: null}
    epoch: 3
    threads: 2
params:
  temprature: {type: float, low: 0.1, high: 0.3}
  encoder_lr: {type: float, low: 1e-5, high: 1e-2, logg: true}
  generator_lr: {type: float, low: 1e-2, high: 1e-5}
  encoder.code_dim: {type: int, low: 1, high: 128}
  reconstruction_weight: {type: float, low: 0.5, high: 1}
  embedding_lr: {type: float, hihg: 1}
search:
  trails: 3
  sampler: gpp
serch: {}
"""
    assert told(write(tmp_path, text), settings=["heat=1", "resources.gpus=1"]) == [
        "line 9: params.encoder_lr.logg: unknown key (did you mean log?)",
        "line 10: params.generator_lr: low 0.01 is above high 1e-05",
        "line 13: params.embedding_lr.low: required, but not given",
        "line 13: params.embedding_lr.high: required, but not given",
        "line 13: params.embedding_lr.hihg: unknown key (did you mean high?)",
        "line 15: search.trails: unknown key (did you mean trials?)",
        "line 16: search.sampler: received 'gpp'; should be 'gp', 'tpe', 'nsga2', 'random', or "
        "package.module:Class",
        "line 17: serch: unknown key (did you mean search?)",
        "line 6: base.overrides.threads: is set by resources: remove it here",
        "line 4: base.overrides.encoder.arch: received 'vit'; should be 'small', 'resnet18', 'resnet50', "
        "timm:NAME, torchvision:NAME or package.module:factory",
        "line 5: base.overrides.epoch: unknown key (did you mean epochs?)",
        "--set heat=1: unknown key",
        "--set resources: gpus: unknown key (did you mean gpus_per_trial?)",
        "line 8: params.temprature: temprature is not a setting of a config (did you mean temperature?)",
        "line 11: params.encoder.code_dim.low: received 1; should be greater than or equal to 2",
        "line 12: params.reconstruction_weight: does not allow 0.3, "
        f"{PAPERS_FIRST % 'reconstruction_weight'}",
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("base: {preset: mnist}\nparams:\n  temperature: {type: float, low: 0.9, high: 1}\n", ["line 1"]),
        (
            "base: {preset: paper, overrides: {method: drnett}}\nparams:\n  drnet.discriminator_lr: "
            "{type: float, low: 1e-3, high: 1e-2}\n",
            ["line 1"],
        ),
        (
            BASE + "params:\n  method: {type: categorical}\n  lord.noise: {type: float, low: 0.1, high: 1}\n",
            ["line 3"],
        ),
        (
            BASE + "params:\n  temperature: {type: float, low: 0.2, high: 1}\n"
            "search: {warm_start: {paper: flase}}\n",
            ["line 4"],
        ),
        (
            "base: {preset: synthetic, overrides: {epochs: x, evaluate_every: 1}}\n"
            + TEMPERATURE
            + "search: {scheduler: {grace_period: 300}}\n",
            ["line 1"],
        ),
        (BASE + "params:\n  temperature: {type: float, low: 0.1}\n", ["line 3"]),
    ],
    ids=["preset", "base's method", "searched method", "first trials", "epochs", "only parameter"],
)
def test_no_mistake_is_told_that_only_follows_from_another(
    text: str, lines: list[str], tmp_path: Path
) -> None:
    assert [line.partition(":")[0] for line in told(write(tmp_path, text))] == lines


def test_mistakes_that_depend_on_nothing_are_told_beside_a_wrong_preset(tmp_path: Path) -> None:
    text = (
        "base: {preset: mnist, overrides: {epochs: x}}\n"
        "params:\n  temprature: {type: float, low: 0.1, high: 1}\n  seed: {type: int, low: 0, high: 3}\n"
        "objectives: {invarance: maximize}\n"
    )
    assert told(write(tmp_path, text)) == [
        "line 1: base: unknown preset 'mnist'",
        "line 1: base.overrides.epochs: received 'x'; should be a valid integer",
        "line 3: params.temprature: temprature is not a setting of a config (did you mean temperature?)",
        "line 4: params.seed: cannot be searched: it is the same for the whole search",
        "line 5: objectives.invarance: cannot be an objective (did you mean invariance?)",
    ]


def test_a_part_with_an_unknown_key_is_checked_as_a_whole_too(tmp_path: Path) -> None:
    text = BASE + (
        "params:\n  temperature: {type: float, low: 0.5, high: 0.1, logg: true}\n"
        "  augmentations: {type: subset, members: [crop, afine, grayscal], maxsize: 2}\n"
    )
    assert told(write(tmp_path, text)) == [
        "line 3: params.temperature.logg: unknown key (did you mean log?)",
        "line 4: params.augmentations.members: received ['crop', 'afine', 'grayscal']; unknown augmentation "
        "'afine' (did you mean affine?); unknown augmentation 'grayscal' (did you mean grayscale?)",
        "line 4: params.augmentations.maxsize: unknown key (did you mean max_size?)",
        "line 3: params.temperature: low 0.5 is above high 0.1",
    ]


def test_keys_given_twice_and_values_of_no_kind_are_told_together(tmp_path: Path) -> None:
    text = BASE + "params:\n  temperature: 1\n  temperature: 2\n  3: 4\n  x: !!binary a\n" + BASE
    assert told(write(tmp_path, text)) == [
        "line 4: temperature: given twice",
        "line 5: keys are words, received '3'",
        "line 6: not valid YAML here: a binary; put text in quotes",
        "line 7: base: given twice",
    ]


def test_a_method_that_is_none_is_told_alone(tmp_path: Path) -> None:
    drnet = BASE + "params:\n  drnet.discriminator_lr: {type: float, low: 1e-3, high: 1e-2}\n"
    (line,) = told(write(tmp_path, drnet), settings=["method=drnett"])
    assert line.startswith("--set method=drnett: received 'drnett'")


def test_wrong_search_settings_from_python_are_refused_by_key(tmp_path: Path) -> None:
    path = write(tmp_path, BASE + TEMPERATURE)
    search = {"trails": 3, "seed": "1", "scheduler": {"grace_periods": 1}}
    assert told(path, search=search) == [
        "search: seed: received '1'; should be a valid integer: write 1",
        "search: scheduler.grace_periods: unknown key (did you mean grace_period?)",
        "search: trails: unknown key (did you mean trials?)",
    ]
    assert load_space(path, search={"scheduler": {"grace_period": 2}}).search.scheduler


def test_a_dataset_and_a_store_that_are_none_are_refused_as_options(tmp_path: Path) -> None:
    path = write(tmp_path, BASE + TEMPERATURE)
    assert told(path, dataset="my cars")[0].startswith("--dataset my cars: received 'my cars'")
    assert told(path, data="")[0].startswith("--data : received ''")


@pytest.mark.parametrize("written", ["1:30", "1_000", "0b11", "yes", "1e2", "10.0"])
def test_what_yaml_1_1_makes_a_whole_number_of_is_refused(written: str, tmp_path: Path) -> None:
    path = write(tmp_path, BASE + TEMPERATURE + f"search: {{trials: {written}}}\n")
    (line,) = told(path, settings=[])
    assert line.startswith("line 4: search.trials: received ")
    (line,) = told(write(tmp_path, BASE + TEMPERATURE), settings=[f"epochs={written}"])
    assert line.startswith(f"--set epochs={written}: received ")


def test_a_preference_for_no_objective_is_refused_wherever_it_is_given(tmp_path: Path) -> None:
    setting = "search.preference.informativnes"
    (line,) = told(write(tmp_path, BASE + TEMPERATURE), settings=[f"{setting}=2"])
    assert line == f"--set {setting}=2: is not an objective (did you mean informativeness?)"
    (line,) = told(write(tmp_path, BASE + TEMPERATURE), search={"preference": {"informativnes": 2.0}})
    assert line.endswith(
        "search.preference.informativnes: is not an objective (did you mean informativeness?)"
    )


def test_a_base_in_place_is_checked_by_line(tmp_path: Path) -> None:
    text = "base:\n  config:\n    encoder: {arch: small, weights: null}\n    epocs: 3\n" + TEMPERATURE
    assert told(write(tmp_path, text)) == ["line 4: base.config.epocs: unknown key (did you mean epochs?)"]
