"""The registered models of a tracking store: encoders of searches, under the search's name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dcodr.errors import UserError
from tuning.tracking.store import quoted, reason
from tuning.tracking.tracker import PARENT, Tracker

if TYPE_CHECKING:
    from mlflow.entities import Run

_PICK = "pick"
"""The tag by which a model's version is found again: the alias that it was made for."""


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model, with the alias that it was made for, if known."""

    version: str
    run_id: str
    pick: str | None
    aliased: bool


class Registry:
    """Writes and reads the registered models of a store.

    Args:
        tracker: The store; no search needs to be open.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._client, self._uri = tracker.client, tracker.uri

    def run_of(self, name: str, alias: str) -> str | None:
        """Return the run of a registered model's version; None if the model has no such alias."""
        try:
            return str(self._client.get_model_version_by_alias(name, alias).run_id)
        except Exception as error:  # every database driver and server has its own exceptions
            if getattr(error, "error_code", None) in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def register(
        self, name: str, description: str, aliases: Mapping[str, str], run_id: str, folder: Path
    ) -> None:
        """Add a saved model to a run's artifacts, and register a version of it for each alias.

        Args:
            name: The model's name; created if missing.
            description: Description of the model in the UI.
            aliases: The aliases, each with the description of its version; each moves to its new version.
            run_id: The run of the trial that trained the model.
            folder: The folder that MLflow saved; its name becomes the artifact's.
        """
        self._client.log_artifacts(run_id, str(folder), folder.name)
        if not self._client.search_registered_models(f"name = {quoted(name)}", max_results=1):
            self._client.create_registered_model(name, description=description)
        source = f"{self._client.get_run(run_id).info.artifact_uri}/{folder.name}"
        # A version that an interrupted registration has made is used again, so that none is there twice.
        known = {
            version.pick: version.version for version in self.versions(name)[::-1] if version.run_id == run_id
        }
        for alias, about in aliases.items():
            version = known.get(alias) or str(
                self._client.create_model_version(
                    name, source, run_id, tags={_PICK: alias}, description=about
                ).version
            )
            self._client.set_registered_model_alias(name, alias, version)

    def versions(self, name: str) -> list[ModelVersion]:
        """Return the versions of a registered model, the oldest first; empty if there is no such model."""
        models = self._client.search_registered_models(f"name = {quoted(name)}", max_results=1)
        if not models:
            return []
        # A database gives the versions as integers, a server as text.
        aliased = {str(version) for version in self._client.get_registered_model(name).aliases.values()}
        found = self._client.search_model_versions(f"name = {quoted(name)}", max_results=10_000)
        versions = [
            ModelVersion(str(one.version), str(one.run_id), one.tags.get(_PICK), str(one.version) in aliased)
            for one in found
        ]
        return sorted(versions, key=lambda one: int(one.version))

    def search_of(self, name: str) -> "Run | None":
        """Return the run of the search that a registered model has its aliases from.

        ``None`` if the model has no aliases, or their search is in MLflow's trash.
        """
        for one in reversed([version for version in self.versions(name) if version.aliased]):
            try:
                trial = self._client.get_run(one.run_id)
                run: Run = self._client.get_run(trial.data.tags.get(PARENT, one.run_id))
            except Exception as error:  # every database driver and server has its own exceptions
                if getattr(error, "error_code", None) != "RESOURCE_DOES_NOT_EXIST":
                    raise
                continue
            if run.info.lifecycle_stage != "deleted":
                return run
        return None

    def fetch(self, name: str, alias: str, file: str, folder: Path) -> Path:
        """Copy one file of a registered model to a folder, without loading the model; return the copy.

        Raises:
            UserError: If there is no such version or file, or the store does not answer.
        """
        from mlflow.artifacts import download_artifacts

        try:
            source = self._client.get_model_version_by_alias(name, alias).source
            uri = f"{source}/{file}"
            return Path(download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=self._uri))
        except Exception as error:  # every driver, server and file system has its own exceptions
            raise UserError(
                f"models:/{name}@{alias}: cannot read {file} of it from {reason(self._uri, error)}. If "
                f"the searches were moved, 'python -m tuning doctor {name} --fix' registers it again"
            ) from None
