"""Construction of methods, encoders and distances from a config."""

from collections.abc import Callable, Mapping

from torch import nn

from dcodr.config import Config, EncoderConfig, PerceptualConfig
from dcodr.methods.dcodr import DCoDR
from dcodr.methods.dcodr_norec import DCoDRNorec
from dcodr.methods.drnet import DrNet
from dcodr.methods.lord import LORD
from dcodr.methods.method import Method
from dcodr.methods.ml_vae import MLVAE
from dcodr.methods.simclr import SimCLR
from dcodr.methods.weights import load_encoder, load_features
from dcodr.models.discriminator import PairDiscriminator
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Decoder, Generator
from dcodr.models.perceptual import DEFAULT_LAYERS, PerceptualDistance, PixelDistance, backbone_features


def build_method(config: Config, n_domains: int, image_size: int, n_images: int) -> Method:
    """Build the method of a config, with weights drawn from torch's global generator.

    Args:
        config: The config of the training.
        n_domains: Domains of the dataset.
        image_size: Height and width of the images, in pixels.
        n_images: Images of the train split.

    Raises:
        UserError: If pretrained weights are not available.
    """
    return _BUILDERS[config.method](config, n_domains, image_size, n_images)


def build_distance(config: PerceptualConfig) -> nn.Module:
    """Build the distance between images of a config.

    Raises:
        UserError: If the backbone's weights are not available.
    """
    if config.backbone == "pixel":
        return PixelDistance()
    layers = config.layers or DEFAULT_LAYERS[config.backbone]
    features = backbone_features(config.backbone, max(layers))
    load_features(features, config.backbone, config.weights)
    return PerceptualDistance(features, layers, config.normalise)


def build_encoder(config: EncoderConfig, width: int | None = None) -> Encoder:
    """Build the encoder of a config with random weights, even if the config names pretrained ones.

    Args:
        config: The config of the encoder.
        width: Width of the output, if not ``code_dim``.
    """
    return Encoder(config.arch, width or config.code_dim, config.head, config.hidden_layer)


def _encoder(config: Config, width: int | None = None) -> Encoder:
    """Build an encoder with its start weights; a method's encoders differ only in their output width."""
    encoder = build_encoder(config.encoder, width)
    if config.encoder.weights is not None:
        load_encoder(encoder, config.encoder.arch, config.encoder.weights)
    return encoder


def _generator(config: Config, n_domains: int, image_size: int) -> Generator:
    settings = config.generator
    return Generator(config.encoder.code_dim, n_domains, settings.domain_dim, settings.channels, image_size)


def _decoder(config: Config, image_size: int) -> Decoder:
    settings = config.generator
    return Decoder(config.encoder.code_dim, settings.domain_dim, settings.channels, image_size)


# All builders share one signature, so some of them have unused arguments.
def _dcodr(config: Config, n_domains: int, image_size: int, n_images: int) -> DCoDR:
    return DCoDR(
        _encoder(config),
        _generator(config, n_domains, image_size),
        build_distance(config.perceptual),
        config.temperature,
        config.batch.n_domains,
        config.reconstruction_weight,
    )


def _dcodr_norec(config: Config, n_domains: int, image_size: int, n_images: int) -> DCoDRNorec:
    return DCoDRNorec(_encoder(config), config.temperature, config.batch.n_domains)


def _simclr(config: Config, n_domains: int, image_size: int, n_images: int) -> SimCLR:
    return SimCLR(_encoder(config), config.temperature, config.encoder.code_dim, config.simclr.projection_dim)


def _lord(config: Config, n_domains: int, image_size: int, n_images: int) -> LORD:
    return LORD(
        _encoder(config),
        _generator(config, n_domains, image_size),
        build_distance(config.perceptual),
        n_images,
        config.encoder.code_dim,
        config.lord.noise,
        config.lord.norm_weight,
    )


def _ml_vae(config: Config, n_domains: int, image_size: int, n_images: int) -> MLVAE:
    code_dim, domain_dim = config.encoder.code_dim, config.generator.domain_dim
    return MLVAE(
        _encoder(config),
        _encoder(config, code_dim + 2 * domain_dim),
        _decoder(config, image_size),
        build_distance(config.perceptual),
        config.batch.n_domains,
        code_dim,
        domain_dim,
        config.ml_vae.kl_weight,
    )


def _drnet(config: Config, n_domains: int, image_size: int, n_images: int) -> DrNet:
    return DrNet(
        _encoder(config),
        _encoder(config, config.generator.domain_dim),
        _decoder(config, image_size),
        PairDiscriminator(config.encoder.code_dim),
        build_distance(config.perceptual),
        config.batch.n_domains,
        config.drnet.similarity_weight,
        config.drnet.adversarial_weight,
    )


_BUILDERS: Mapping[str, Callable[[Config, int, int, int], Method]] = {
    "dcodr": _dcodr,
    "dcodr_norec": _dcodr_norec,
    "simclr": _simclr,
    "lord": _lord,
    "ml_vae": _ml_vae,
    "drnet": _drnet,
}
