"""DCoDR: the domain-wise contrastive objective with a reconstruction term."""

from torch import Tensor, nn

from dcodr.methods.batch import Batch
from dcodr.methods.dcodr_norec import DCoDRNorec
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Generator
from dcodr.models.reconstruction import reconstruction_error


class DCoDR(DCoDRNorec):
    """DCoDR-norec plus a generator that rebuilds the anchor from its code and its domain.

    Objective: ``contrastive + reconstruction_weight * reconstruction`` (Kahana & Hoshen 2022, section 3). The
    domain's embedding gives the generator the domain information that the code must not contain.

    Args:
        encoder: Makes the codes.
        generator: Makes images from codes and domain labels.
        distance: Distance of two batches of images, a scalar.
        temperature: Temperature of the contrastive loss.
        n_domains: Domains in a batch.
        reconstruction_weight: Weight of the reconstruction.
    """

    def __init__(
        self,
        encoder: Encoder,
        generator: Generator,
        distance: nn.Module,
        temperature: float,
        n_domains: int,
        reconstruction_weight: float,
    ) -> None:
        super().__init__(encoder, temperature, n_domains)
        self.generator = generator
        self.distance = distance
        self.reconstruction_weight = reconstruction_weight

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses of a batch: scalars ``loss``, ``contrastive`` and ``reconstruction``."""
        # The anchors' codes serve both terms; anchors and views are encoded in two passes.
        codes = self.encoder(batch.anchors)
        contrastive = self.contrastive(codes, self.encoder(batch.views()))
        reconstruction = reconstruction_error(
            self.generator, self.distance, codes, batch.domain, batch.anchors
        )
        loss = contrastive + self.reconstruction_weight * reconstruction
        return {"loss": loss, "contrastive": contrastive, "reconstruction": reconstruction}

    def render(self, content: Tensor, lenders: Tensor, domain: Tensor) -> Tensor:
        """Render the content of some images in the domains of others; see :class:`Method`."""
        rendered: Tensor = self.generator(self.encoder(content), domain)
        return rendered

    def learned(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters to train, by the name of the setting with their learning rate."""
        generator, embedding = self.generator.parts()
        return {**super().learned(), "generator_lr": generator, "embedding_lr": embedding}
