"""Construction of methods, encoders and distances from a config."""

from torch import nn

from dcodr import plugins
from dcodr.config import Config, EncoderConfig
from dcodr.config.methods import SHUFFLED
from dcodr.methods.dcodr import DCoDR
from dcodr.methods.dcodr_norec import DCoDRNorec
from dcodr.methods.drnet import DrNet
from dcodr.methods.lord import LORD
from dcodr.methods.method import Method
from dcodr.methods.ml_vae import MLVAE
from dcodr.methods.outside import Sizes, build_outside, load_method
from dcodr.methods.simclr import SimCLR
from dcodr.methods.weights import load_encoder, load_features
from dcodr.models.discriminator import PairDiscriminator
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Decoder, Generator
from dcodr.models.perceptual import DEFAULT_LAYERS, PerceptualDistance, backbone_features, require_size


def build_method(config: Config, n_domains: int, image_size: int, n_images: int) -> Method:
    """Build the method of a config, with weights drawn from torch's global generator.

    ``n_images`` are those of the train split.

    Raises:
        UserError: If pretrained weights are not available, or a package from outside is not allowed.
    """
    # The order of construction determines the weights that a seed gives.
    encoder = _encoder(config, image_size)
    code_dim, domain_dim = config.encoder.code_dim, config.generator.domain_dim
    n_in_batch, temperature = config.batch.n_domains, config.temperature
    match config.method:
        case "dcodr":
            generator, distance = (
                _generator(config, n_domains, image_size),
                _distance(config, image_size),
            )
            return DCoDR(encoder, generator, distance, temperature, n_in_batch, config.reconstruction_weight)
        case "dcodr_norec":
            return DCoDRNorec(encoder, temperature, n_in_batch)
        case "simclr":
            return SimCLR(encoder, temperature, code_dim, config.simclr.projection_dim)
        case "lord":
            generator, distance = (
                _generator(config, n_domains, image_size),
                _distance(config, image_size),
            )
            own = config.lord
            return LORD(encoder, generator, distance, n_images, code_dim, own.noise, own.norm_weight)
        case "ml_vae":
            posterior = _encoder(config, image_size, code_dim + 2 * domain_dim)
            decoder = _decoder(config, image_size)
            distance, weight = _distance(config, image_size), config.ml_vae.kl_weight
            return MLVAE(encoder, posterior, decoder, distance, n_in_batch, code_dim, domain_dim, weight)
        case "drnet":
            return DrNet(
                encoder,
                _encoder(config, image_size, domain_dim),
                _decoder(config, image_size),
                PairDiscriminator(code_dim),
                _distance(config, image_size),
                n_in_batch,
                config.drnet.similarity_weight,
                config.drnet.adversarial_weight,
            )
        case _:
            return build_outside(encoder, config, Sizes(n_domains, image_size, n_images))


def shuffles(method: str) -> bool:
    """Tell whether a method is trained on shuffled batches of any images.

    Raises:
        UserError: If the method is from outside and its package is not allowed.
    """
    return load_method(method).shuffled if plugins.is_outside(method) else method in SHUFFLED


def build_encoder(
    config: EncoderConfig, image_size: int | None = None, *, width: int | None = None
) -> Encoder:
    """Build the encoder of a config with random weights, even if the config names pretrained ones.

    Args:
        config: The config of the encoder.
        image_size: Height and width of the images to encode, in pixels, if known.
        width: Width of the output, if not ``code_dim``.

    Raises:
        UserError: If the encoder cannot be built; see :func:`dcodr.models.trunks.build_trunk`.
    """
    return Encoder(config.arch, width or config.code_dim, config.head, config.hidden_layer, image_size)


def _encoder(config: Config, image_size: int, width: int | None = None) -> Encoder:
    """Build an encoder with its start weights; a method's encoders differ only in their output width."""
    encoder = build_encoder(config.encoder, image_size, width=width)
    if config.encoder.weights is not None:
        load_encoder(encoder, config.encoder.arch, config.encoder.weights)
    return encoder


def _generator(config: Config, n_domains: int, image_size: int) -> Generator:
    settings = config.generator
    return Generator(config.encoder.code_dim, n_domains, settings.domain_dim, settings.channels, image_size)


def _decoder(config: Config, image_size: int) -> Decoder:
    settings = config.generator
    return Decoder(config.encoder.code_dim, settings.domain_dim, settings.channels, image_size)


def _distance(config: Config, image_size: int) -> nn.Module:
    settings = config.perceptual
    if settings.backbone == "pixel":
        return nn.L1Loss()
    layers = settings.layers or DEFAULT_LAYERS[settings.backbone]
    features = backbone_features(settings.backbone, max(layers))
    require_size(features, image_size, settings.backbone)
    load_features(features, settings.backbone, settings.weights)
    return PerceptualDistance(features, layers, settings.normalise)
