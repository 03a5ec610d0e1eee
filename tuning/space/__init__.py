"""The search space: the space file, its parameters, its settings."""

from tuning.space.space import Space, load_space
from tuning.space.space_file import Base, SpaceFile, json_schema

__all__ = ["Base", "Space", "SpaceFile", "json_schema", "load_space"]
