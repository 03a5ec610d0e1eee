"""DrNet: an autoencoder with two codes; one is constant within a domain, one does not reveal the domain."""

from torch import Tensor, nn
from torch.func import functional_call

from dcodr.losses.adversarial import confusion_loss, discrimination_loss
from dcodr.methods.batch import Batch
from dcodr.methods.method import Method
from dcodr.models.discriminator import PairDiscriminator
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Decoder
from dcodr.models.reconstruction import reconstruction_error


class DrNet(Method):
    r"""DrNet, which rebuilds an image from its own code and the domain code of another image of its domain.

    Denton & Birodkar, *Unsupervised Learning of Disentangled Representations from Video*, NeurIPS 2017,
    https://arxiv.org/abs/1705.10915. The paper's videos are the domains here, its pose is the code, and its
    content is the domain code. With encoder :math:`E`, encoder of domain codes :math:`E_d`, decoder
    :math:`D`, discriminator :math:`C` and another image :math:`x'` of the domain of :math:`x`, the objective
    is

    .. math::
        \text{distance}(D(E(x), E_d(x')), x) + \alpha \lVert E_d(x) - E_d(x') \rVert^2
        + \beta \, \text{confusion}(C(E(x), E(x'))).

    At the same time the discriminator learns to distinguish such pairs from pairs of two domains
    (:func:`~dcodr.losses.adversarial.discrimination_loss`). Neither side receives the gradient of the other's
    loss, so one backward pass serves both; the paper alternates between them. All codes have unit length.

    Each image is paired with its neighbour in the batch, within the domain. The sampler shuffles the images
    of a domain, so the pairs are random.

    Args:
        encoder: Makes the codes.
        domain_encoder: Makes the domain codes.
        decoder: Makes images from codes and domain codes.
        discriminator: Scores pairs of codes.
        distance: Distance of two batches of images, a scalar.
        n_domains: Domains in a batch, at least 2.
        similarity_weight: The factor alpha.
        adversarial_weight: The factor beta.

    Raises:
        ValueError: If ``n_domains`` is below 2.
    """

    def __init__(
        self,
        encoder: Encoder,
        domain_encoder: Encoder,
        decoder: Decoder,
        discriminator: PairDiscriminator,
        distance: nn.Module,
        n_domains: int,
        similarity_weight: float,
        adversarial_weight: float,
    ) -> None:
        super().__init__(encoder)
        if n_domains < 2:
            raise ValueError(f"n_domains is {n_domains}; pairs of two domains need at least 2")
        self.domain_encoder = domain_encoder
        self.decoder = decoder
        self.discriminator = discriminator
        self.distance = distance
        self.n_domains = n_domains
        self.similarity_weight = similarity_weight
        self.adversarial_weight = adversarial_weight

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses of a batch.

        Returns:
            Scalars ``loss``, ``reconstruction``, ``similarity``, ``confusion`` and ``discrimination``.
        """
        # 1. Rebuild every image with its partner's domain code.
        codes, domain_codes = self.encoder(batch.anchors), self.domain_encoder(batch.anchors)
        partners, partner_domain_codes = self._partners(codes), self._partners(domain_codes)
        reconstruction = reconstruction_error(
            self.decoder, self.distance, codes, partner_domain_codes, batch.anchors
        )
        # 2. Partners share a domain, so their domain codes should be equal.
        similarity = (domain_codes - partner_domain_codes).square().sum(dim=1).mean()
        # 3. Play both sides of the game. The confusion loss must not train the discriminator, and the
        # discrimination loss must not train the codes.
        fixed = {name: parameter.detach() for name, parameter in self.discriminator.named_parameters()}
        confusion = confusion_loss(functional_call(self.discriminator, fixed, (codes, partners)))
        discrimination = self.discrimination(codes.detach())
        loss = reconstruction + self.similarity_weight * similarity + self.adversarial_weight * confusion
        return {
            "loss": loss + discrimination,
            "reconstruction": reconstruction,
            "similarity": similarity,
            "confusion": confusion,
            "discrimination": discrimination,
        }

    def render(self, content: Tensor, lenders: Tensor, domain: Tensor) -> Tensor:
        """Render the content of some images in the domains of others; see :class:`Method`."""
        rendered: Tensor = self.decoder(self.encoder(content), self.domain_encoder(lenders))
        return rendered

    def learned(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters to train, by the key of the setting with their learning rate."""
        return {
            "encoder_lr": [*self.encoder.parameters(), *self.domain_encoder.parameters()],
            "generator_lr": list(self.decoder.parameters()),
            "drnet.discriminator_lr": list(self.discriminator.parameters()),
        }

    def _partners(self, codes: Tensor) -> Tensor:
        """Return the code of every image's neighbour within its domain."""
        return codes.view(self.n_domains, -1, codes.shape[1]).roll(1, dims=1).flatten(0, 1)

    def discrimination(self, codes: Tensor) -> Tensor:
        """Return the discriminator's loss on pairs of one domain and of two.

        Args:
            codes: ``(n_domains * n, d)`` codes of a batch, domain by domain.
        """
        same = self.discriminator(codes, self._partners(codes))
        # A shift by one whole domain pairs every code with one of another domain.
        different = self.discriminator(codes, codes.roll(len(codes) // self.n_domains, dims=0))
        return discrimination_loss(same, different)
