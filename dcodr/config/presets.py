"""The paper's settings per dataset."""

from collections.abc import Mapping

from dcodr.config.config import BatchConfig, Config, EncoderConfig

_PAPER = Config(encoder=EncoderConfig(weights="imagenet"))
_WITH_HEAD = EncoderConfig(weights="imagenet", head=True)

PRESETS: Mapping[str, Config] = {
    "paper": _PAPER,
    "cars3d": _PAPER.model_copy(update={"dataset": "cars3d"}),
    "smallnorb": _PAPER.model_copy(update={"dataset": "smallnorb", "encoder": _WITH_HEAD}),
    "shapes3d": _PAPER.model_copy(update={"dataset": "shapes3d", "encoder": _WITH_HEAD, "temperature": 0.1}),
    "celeba": _PAPER.model_copy(
        update={
            "dataset": "celeba",
            "encoder_lr": 1e-3,
            "generator_lr": 1e-3,
            "batch": BatchConfig(n_domains=6, n_per_domain=20),
        }
    ),
    "edges2shoes": _PAPER.model_copy(
        update={
            "dataset": "edges2shoes",
            "temperature": 0.1,
            "batch": BatchConfig(n_domains=2, n_per_domain=64),
        }
    ),
    "synthetic": _PAPER.model_copy(
        update={"dataset": "synthetic", "encoder": _WITH_HEAD, "temperature": 0.1}
    ),
}
"""The paper's settings (supplement, section 2): ``paper`` in general, then per dataset. ``synthetic`` stands
for Shapes3D and has the same settings. Two presets differ from the supplement, because its batch of 4 domains
x 32 images cannot be drawn:

* ``edges2shoes`` has two domains. 2 x 64 keeps the supplement's batch of 128. The official sampler only
  lowers the number of domains, which gives batches of 2 x 32.
* No person in CelebA has more than 35 images, of which 28 are for training. Every person that is kept has at
  least 20 training images, enough for a batch of 6 x 20. The official sampler takes 4 people and up to 32
  images of each.

The encoder starts from torchvision's ImageNet weights. The official encoder starts from MoCo-v2, see
``encoder.hidden_layer``."""
