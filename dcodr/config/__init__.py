"""The config of a training, the paper's presets, and the settings of each system. Imports no torch."""

from dcodr.config.config import (
    PRESETS,
    BatchConfig,
    Config,
    EncoderConfig,
    GeneratorConfig,
    PerceptualConfig,
    differences,
    dump_config,
    merged,
    nested,
    override,
    read_config,
    require_augmentations,
    setting,
    with_absolute_paths,
)

__all__ = [
    "PRESETS",
    "BatchConfig",
    "Config",
    "EncoderConfig",
    "GeneratorConfig",
    "PerceptualConfig",
    "differences",
    "dump_config",
    "merged",
    "nested",
    "override",
    "read_config",
    "require_augmentations",
    "setting",
    "with_absolute_paths",
]
