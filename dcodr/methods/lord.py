"""LORD: latent optimisation, and an encoder that predicts the latents."""

import torch.nn.functional as F
from torch import Tensor, nn

from dcodr.methods.batch import Batch, Draws
from dcodr.methods.method import Method
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Generator
from dcodr.models.reconstruction import reconstruction_error


class LORD(Method):
    r"""LORD: one embedding per training image and one per domain; a generator makes images from both.

    Gabbay & Hoshen, *Demystifying Inter-Class Disentanglement*, ICLR 2020, https://arxiv.org/abs/1906.11796.
    With the embeddings :math:`c_i` of images and :math:`d` of domains, noise :math:`\epsilon \sim N(0, I)`,
    generator :math:`G` and encoder :math:`E`, the objective is

    .. math::
        \text{distance}(G(c_i + \sigma \epsilon, d_{y_i}), x_i) + \lambda \lVert c_i \rVert^2
        + \lVert E(x_i) - c_i / \lVert c_i \rVert \rVert^2.

    Because of noise and penalty, an image's embedding holds only information that is not in the shared
    embedding of its domain. In the last term the embeddings are constants, so it trains only the encoder.

    The paper trains the encoder in a second stage, when the embeddings are final. Here every step trains
    both. The embeddings are those of the paper's first stage, because the encoder sends no gradient to them.
    The encoder follows them as they converge with decaying learning rates. This gives a useful encoder after
    any epoch, which early stopping in a search needs, and a single length of training. Codes are
    L2-normalised, so the encoder learns directions. The codes need neither the paper's encoder of domains nor
    the reconstruction from encoded images. Batches are shuffled, as in the authors' code.

    Args:
        encoder: Makes the codes.
        generator: Makes images from embeddings and domain labels.
        distance: Distance of two batches of images, a scalar.
        n_images: Images of the train split.
        code_dim: Width of the embeddings, and of the codes.
        noise: Standard deviation of the noise.
        norm_weight: Weight of the embeddings' squared length.
    """

    def __init__(
        self,
        encoder: Encoder,
        generator: Generator,
        distance: nn.Module,
        n_images: int,
        code_dim: int,
        noise: float,
        norm_weight: float,
    ) -> None:
        super().__init__(encoder)
        self.generator = generator
        self.distance = distance
        self.embedding = nn.Embedding(n_images, code_dim)
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        self.noise = noise
        self.norm_weight = norm_weight

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses of a batch: scalars ``loss``, ``reconstruction``, ``norm`` and ``encoding``."""
        embedding = self.embedding(batch.index)
        noisy = embedding + self.noise * batch.noise(*embedding.shape)
        reconstruction = reconstruction_error(
            self.generator, self.distance, noisy, batch.domain, batch.anchors
        )
        norm = embedding.square().sum(dim=1).mean()
        # Codes have length 1, so the encoder learns the embedding's direction. `detach` keeps its gradient
        # from the embedding.
        direction = F.normalize(embedding.detach(), dim=1)
        encoding = (self.encoder(batch.anchors) - direction).square().sum(dim=1).mean()
        loss = reconstruction + self.norm_weight * norm + encoding
        return {"loss": loss, "reconstruction": reconstruction, "norm": norm, "encoding": encoding}

    def draws(self, n_images: int) -> Draws:
        """Announce noise on the embedding of each image."""
        return Draws(noise=((n_images, self.embedding.embedding_dim),))

    def render(self, content: Tensor, lenders: Tensor, domain: Tensor) -> Tensor:
        """Render the content of some images in the domains of others; see :class:`Method`."""
        rendered: Tensor = self.generator(self.encoder(content), domain)
        return rendered

    def learned(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters to train, by the name of the setting with their learning rate."""
        generator, domain_embedding = self.generator.parts()
        return {
            "encoder_lr": list(self.encoder.parameters()),
            "generator_lr": generator,
            "embedding_lr": [*domain_embedding, *self.embedding.parameters()],
        }
