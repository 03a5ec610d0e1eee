"""LORD: latent optimisation, then an encoder that finds the latents."""

import torch.nn.functional as F
from torch import Tensor, nn

from dcodr.methods.batch import Batch, Draws
from dcodr.methods.method import Method
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Generator
from dcodr.models.reconstruction import reconstruction_error


class LORD(Method):
    r"""Every training image has an embedding of its own, every domain one; a generator makes images of both.

    Gabbay & Hoshen, *Demystifying Inter-Class Disentanglement*, ICLR 2020, https://arxiv.org/abs/1906.11796.
    With the embeddings :math:`c_i` of images and :math:`d` of domains, noise :math:`\epsilon \sim N(0, I)`,
    generator :math:`G` and encoder :math:`E`, the objective is

    .. math::
        \text{distance}(G(c_i + \sigma \epsilon, d_{y_i}), x_i) + \lambda \lVert c_i \rVert^2
        + \lVert E(x_i) - c_i / \lVert c_i \rVert \rVert^2.

    Noise and penalty let an image's embedding hold only what is not in its domain's, which is shared. In the
    last term the embeddings are constants: it trains the encoder alone.

    The paper trains the encoder in a second stage, when the embeddings are final. Here both go on at every
    step: the embeddings are those of the paper's first stage, since nothing of the encoder reaches them, and
    the encoder follows them to where they settle as learning rates decay. So there is an encoder worth
    evaluating after any epoch, which early stopping in a search needs, and one length of training. Codes are
    L2-normalised, so the encoder learns directions; the paper's encoder of domains is not needed for them,
    nor the reconstruction from encoded images. Batches are shuffled, as in its authors' code.

    Args:
        encoder: Makes the codes.
        generator: Makes images of embeddings and domain labels.
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
        """The losses of a batch: scalars ``loss``, ``reconstruction``, ``norm`` and ``encoding``."""
        embedding = self.embedding(batch.index)
        noisy = embedding + self.noise * batch.noise(*embedding.shape)
        reconstruction = reconstruction_error(
            self.generator, self.distance, noisy, batch.domain, batch.anchors
        )
        norm = embedding.square().sum(dim=1).mean()
        direction = F.normalize(embedding.detach(), dim=1)
        encoding = (self.encoder(batch.anchors) - direction).square().sum(dim=1).mean()
        loss = reconstruction + self.norm_weight * norm + encoding
        return {"loss": loss, "reconstruction": reconstruction, "norm": norm, "encoding": encoding}

    def draws(self, n_images: int) -> Draws:
        """Noise on the embedding of each image."""
        return Draws(noise=((n_images, self.embedding.embedding_dim),))

    def render(self, content: Tensor, lenders: Tensor, domain: Tensor) -> Tensor:
        """Images with the content of some images and the domain of others; see :class:`Method`."""
        rendered: Tensor = self.generator(self.encoder(content), domain)
        return rendered

    def learned(self) -> dict[str, list[nn.Parameter]]:
        """The parameters to train, by the name of the setting that is their learning rate."""
        generator, domain_embedding = self.generator.parts()
        return {
            "encoder_lr": list(self.encoder.parameters()),
            "generator_lr": generator,
            "embedding_lr": [*domain_embedding, *self.embedding.parameters()],
        }
