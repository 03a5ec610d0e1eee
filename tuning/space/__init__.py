"""The search space: the space file, its parameters, its settings."""

from tuning.space.space import Base, Space, SpaceFile, json_schema, load_space

__all__ = ["Base", "Space", "SpaceFile", "json_schema", "load_space"]
