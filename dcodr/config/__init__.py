"""The config of a training, the paper's presets, and the settings of each system. Imports no torch."""

from dcodr.config.config import BatchConfig as BatchConfig
from dcodr.config.config import Config as Config
from dcodr.config.config import EncoderConfig as EncoderConfig
from dcodr.config.config import GeneratorConfig as GeneratorConfig
from dcodr.config.config import PerceptualConfig as PerceptualConfig
from dcodr.config.config import differences as differences
from dcodr.config.config import dump_config as dump_config
from dcodr.config.config import key_parts as key_parts
from dcodr.config.config import merged as merged
from dcodr.config.config import nested as nested
from dcodr.config.config import override as override
from dcodr.config.config import read_config as read_config
from dcodr.config.config import setting as setting
from dcodr.config.config import with_absolute_paths as with_absolute_paths
from dcodr.config.presets import PRESETS as PRESETS
