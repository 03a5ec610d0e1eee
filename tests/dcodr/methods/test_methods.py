"""Contract of all methods: they learn, their codes are as documented, they resume exactly."""

from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import Tensor
from torchvision.models import resnet18

from dcodr.augmentations.views import Augment
from dcodr.config import BatchConfig, Config, EncoderConfig, setting
from dcodr.config.methods import MethodName
from dcodr.data.dataset import FactorDataset
from dcodr.methods.batch import Batch, Draws
from dcodr.methods.build import build_method
from dcodr.methods.method import Method
from dcodr.models.encoder import Encoder
from dcodr.training.checkpoint import Epoch, load_checkpoint, trained_encoder
from dcodr.training.trainer import fit

METHODS = get_args(MethodName)
PARTS = {
    "dcodr": {"contrastive", "reconstruction"},
    "dcodr_norec": {"contrastive"},
    "simclr": {"contrastive"},
    "ml_vae": {"reconstruction", "code_kl", "domain_kl"},
    "drnet": {"reconstruction", "similarity", "confusion", "discrimination"},
    "lord": {"reconstruction", "norm", "encoding"},
}

SMALL = BatchConfig(n_domains=4, n_per_domain=4)

every_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture
def config(method: str, tiny_config: Config) -> Config:
    return tiny_config.model_copy(update={"method": method})


@pytest.fixture
def built(config: Config) -> Method:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_method(config, n_domains=4, image_size=64, n_images=40)


def a_batch(config: Config, draws: Draws, seed: int = 0) -> Batch:
    """Random images of the domains 0 to 3, eight of each."""
    random = torch.Generator().manual_seed(seed)
    images = torch.rand(32, 3, 64, 64, generator=random)
    augment = Augment(config.augmentations, config.augmentation_mode, config.strengths)
    drawn = iter(draws.of((32, 64, 64), augment, random))
    return Batch(images, torch.arange(4).repeat_interleave(8), torch.arange(32), augment, drawn)


def history(config: Config, data: FactorDataset, checkpoint: Path | None = None) -> list[Epoch]:
    epochs: list[Epoch] = []
    fit(config, data, on_epoch=epochs.append, checkpoint=checkpoint)
    return epochs


@every_method
def test_the_loss_falls(config: Config, few: FactorDataset) -> None:
    epochs = history(config.model_copy(update={"epochs": 5, "evaluate_every": 5, "batch": SMALL}), few)
    assert epochs[-1].losses["loss"] < epochs[0].losses["loss"]
    assert set(epochs[-1].losses) == {"loss"} | PARTS[config.method]
    assert [epoch.report is not None for epoch in epochs] == [False] * 4 + [True]


@every_method
def test_a_resumed_training_goes_on_bit_equally(config: Config, few: FactorDataset, tmp_path: Path) -> None:
    config = config.model_copy(update={"epochs": 3, "evaluate_every": 3, "batch": SMALL})
    whole = history(config, few)

    class Stop(Exception):  # noqa: N818
        pass

    def stop(epoch: Epoch) -> None:
        raise Stop

    with pytest.raises(Stop):
        fit(config, few, on_epoch=stop, checkpoint=tmp_path / "c.pt")
    assert load_checkpoint(tmp_path / "c.pt").last.epoch == 1
    rest = history(config, few, tmp_path / "c.pt")
    assert [epoch.epoch for epoch in rest] == [1, 2, 3]
    assert [epoch.losses for epoch in rest] == [epoch.losses for epoch in whole]
    assert rest[-1].report is not None
    assert whole[-1].report is not None
    assert rest[-1].report.metrics == whole[-1].report.metrics
    finished = fit(config, few, checkpoint=tmp_path / "c.pt")
    assert finished.report.metrics == whole[-1].report.metrics

    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        codes = trained_encoder(load_checkpoint(tmp_path / "c.pt"))(images)
    assert codes.shape == (3, config.encoder.code_dim)
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(3))


@every_method
def test_every_parameter_is_learned_once_at_the_rate_of_a_setting(config: Config, built: Method) -> None:
    learned = built.learned()
    ids = [id(parameter) for group in learned.values() for parameter in group]
    assert sorted(ids) == sorted(id(p) for p in built.parameters() if p.requires_grad)
    assert "encoder_lr" in learned
    for key in learned:
        assert setting(config, key) > 0


@every_method
def test_every_parameter_gets_a_gradient(config: Config, built: Method) -> None:
    built.losses(a_batch(config, built.draws(32)))["loss"].backward()  # type: ignore[no-untyped-call]
    idle = [name for name, p in built.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle


@every_method
def test_losses_are_a_function_of_the_batch(config: Config, built: Method) -> None:
    state = torch.get_rng_state()
    one, two = (built.losses(a_batch(config, built.draws(32))) for _ in range(2))
    assert {name: value.item() for name, value in one.items()} == {n: v.item() for n, v in two.items()}
    assert all(value.shape == () and value.dtype == torch.float32 for value in one.values())
    assert torch.equal(torch.get_rng_state(), state)
    assert built.losses(a_batch(config, built.draws(32), seed=1))["loss"] != one["loss"]


@every_method
def test_a_method_takes_all_that_it_has_drawn_and_no_more(config: Config, built: Method) -> None:
    batch = a_batch(config, built.draws(32))
    built.losses(batch)
    assert next(batch.drawn, None) is None


def test_noise_of_another_shape_is_refused(tiny_config: Config) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\) was drawn, but \(3, 2\) is requested"):
        a_batch(tiny_config, Draws(noise=((2, 3),))).noise(3, 2)


@every_method
def test_every_encoder_starts_from_the_pretrained_weights(config: Config, tmp_path: Path) -> None:
    donor = resnet18(num_classes=7).state_dict()
    query = {f"module.encoder_q.{key}": value for key, value in donor.items()}
    torch.save({"arch": "resnet18", "state_dict": query}, tmp_path / "moco.pth")
    settings = EncoderConfig(arch="resnet18", code_dim=16, weights=str(tmp_path / "moco.pth"))
    method = build_method(config.model_copy(update={"encoder": settings}), 4, 64, 40)
    encoders = [module for module in method.modules() if isinstance(module, Encoder)]
    assert encoders
    for encoder in encoders:
        own = encoder.trunk.state_dict()
        assert all(torch.equal(own[key], donor[key]) for key in donor if not key.startswith("fc."))


@every_method
def test_batches_are_of_domains_or_shuffled_as_in_the_methods_own_code(
    config: Config, tiny: FactorDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Batch] = []
    built = type(build_method(config, 4, 64, 40))
    inner = built.losses

    def spy(self: Method, batch: Batch) -> dict[str, Tensor]:
        seen.append(batch)
        return inner(self, batch)

    monkeypatch.setattr(built, "losses", spy)
    fit(config.model_copy(update={"epochs": 1}), tiny)
    train = tiny.indices("train")
    assert len(seen) == len(train) // 32
    for batch in seen:
        assert torch.equal(batch.domain, torch.from_numpy(tiny.domain[train])[batch.index])
    blocks = torch.stack([batch.domain for batch in seen]).view(len(seen), 4, 8)
    in_blocks = bool((blocks == blocks[..., :1]).all())
    assert in_blocks == (config.method not in ("simclr", "lord"))
    if not in_blocks:
        shown = torch.cat([batch.index for batch in seen]).tolist()
        assert len({*shown}) == len(shown)


@pytest.mark.parametrize("method", ["simclr", "lord"])
def test_shuffled_methods_train_on_fewer_domains_than_a_batch_names(
    config: Config, tiny: FactorDataset
) -> None:
    batch = BatchConfig(n_domains=8, n_per_domain=4)
    epochs = history(config.model_copy(update={"batch": batch, "epochs": 1}), tiny)
    assert tiny.n_domains == 4
    assert epochs[-1].report is not None


def test_views_are_made_in_full_precision_and_anew_at_each_call(tiny_config: Config) -> None:
    whole = a_batch(tiny_config, Draws(views=2))
    expected = [whole.views(), whole.views()]
    assert not torch.equal(*expected)
    half = a_batch(tiny_config, Draws(views=2))
    with torch.autocast("cpu", torch.bfloat16):
        assert all(torch.equal(half.views(), views) for views in expected)


def test_noise_is_standard_normal_and_the_same_for_the_same_state(tiny_config: Config) -> None:
    draws = Draws(noise=((100, 100),))
    noise = a_batch(tiny_config, draws).noise(100, 100)
    assert noise.mean().abs() < 0.05
    assert abs(noise.std() - 1) < 0.05
    assert torch.equal(noise, a_batch(tiny_config, draws).noise(100, 100))
