"""ML-VAE: a variational autoencoder whose images of one domain share a latent."""

import torch
from torch import Tensor, nn

from dcodr.losses.gaussian import kl_to_standard_normal, product_of_gaussians
from dcodr.methods.batch import Batch, Draws
from dcodr.methods.method import Method
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Decoder
from dcodr.models.reconstruction import reconstruction_error


class MLVAE(Method):
    r"""ML-VAE: one latent per image and one shared by a domain's images; a decoder makes images from both.

    Bouchacourt, Tomioka & Nowozin, *Multi-Level Variational Autoencoder*, AAAI 2018,
    https://arxiv.org/abs/1705.08841. The latent of a domain is inferred from its images in the batch by
    :func:`~dcodr.losses.gaussian.product_of_gaussians` and sampled once for all of them. The objective per
    image, with :math:`n` images of a domain, posteriors :math:`q` and the prior :math:`p = N(0, I)`, is

    .. math::
        \text{distance} + \frac{\text{kl\_weight}}{3HW}
        \Big[ KL(q(c_i) \Vert p) + \frac{1}{n} KL(q(d) \Vert p) \Big].

    The distances are means over pixels, so the divergences are divided by the number of values of an image.
    With the pixel distance and weight 1 this is the paper's bound per value, for a Laplace likelihood of unit
    scale. A code is the mean of :math:`q(c_i)`, L2-normalised. In the paper one network has four outputs.
    Here two networks share them, because the code needs an encoder that works alone.

    Args:
        encoder: Makes the codes, and without normalisation the means of the images' latents.
        posterior: Makes all other outputs, without normalisation: the log variances of the images' latents,
            then means and log variances of each image's evidence about its domain; its width is ``code_dim +
            2 * domain_dim``.
        decoder: Makes images from the two latents.
        distance: Distance of two batches of images, a scalar.
        n_domains: Domains in a batch.
        code_dim: Width of the codes.
        domain_dim: Width of the domains' latents.
        kl_weight: Weight of the divergences.
    """

    def __init__(
        self,
        encoder: Encoder,
        posterior: Encoder,
        decoder: Decoder,
        distance: nn.Module,
        n_domains: int,
        code_dim: int,
        domain_dim: int,
        kl_weight: float,
    ) -> None:
        super().__init__(encoder)
        self.posterior = posterior
        self.decoder = decoder
        self.distance = distance
        self.n_domains = n_domains
        self.code_dim = code_dim
        self.domain_dim = domain_dim
        self.kl_weight = kl_weight

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses of a batch, scalars ``loss``, ``reconstruction``, ``code_kl``, ``domain_kl``."""
        size, values = len(batch.anchors), batch.anchors[0].numel()
        # 1. Infer the Gaussians of the images' latents and of the domains' latents.
        means = self.encoder.raw(batch.anchors)
        rest = self.posterior.raw(batch.anchors)
        log_variances, said = rest[:, : self.code_dim], rest[:, self.code_dim :]
        domain_means, domain_log_variances = said.chunk(2, dim=1)
        domain = product_of_gaussians(domain_means, domain_log_variances, self.n_domains)
        # 2. Sample both, in the order of `draws`.
        latents = _sample(batch, means, log_variances)
        shared = _sample(batch, *domain).repeat_interleave(size // self.n_domains, dim=0)
        # 3. Reconstruct, and compare the Gaussians with the prior.
        reconstruction = reconstruction_error(self.decoder, self.distance, latents, shared, batch.anchors)
        code_kl = kl_to_standard_normal(means, log_variances).mean()
        # A domain's latent is shared, so its divergence counts once for all images of the domain.
        domain_kl = kl_to_standard_normal(*domain).sum() / size
        loss = reconstruction + self.kl_weight * (code_kl + domain_kl) / values
        return {"loss": loss, "reconstruction": reconstruction, "code_kl": code_kl, "domain_kl": domain_kl}

    def draws(self, n_images: int) -> Draws:
        """Announce noise on the latent of each image, then on that of each domain."""
        return Draws(noise=((n_images, self.code_dim), (self.n_domains, self.domain_dim)))

    def render(self, content: Tensor, lenders: Tensor, domain: Tensor) -> Tensor:
        """Render the content of some images in the domains of others; see :class:`Method`.

        Each lender is the only evidence about its domain.
        """
        domain_means, _ = self.posterior.raw(lenders)[:, self.code_dim :].chunk(2, dim=1)
        rendered: Tensor = self.decoder(self.encoder.raw(content), domain_means)
        return rendered

    def learned(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters to train, by the name of the setting with their learning rate."""
        return {
            "encoder_lr": [*self.encoder.parameters(), *self.posterior.parameters()],
            "generator_lr": list(self.decoder.parameters()),
        }


def _sample(batch: Batch, means: Tensor, log_variances: Tensor) -> Tensor:
    return means + torch.exp(log_variances / 2) * batch.noise(*means.shape)
