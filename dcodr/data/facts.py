"""The contents of a prepared dataset, as plain values and on the terminal."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dcodr.console import warn
from dcodr.data.coverage import coverage_warnings
from dcodr.data.dataset import SPLITS, FactorDataset
from dcodr.data.datasets import PUBLISHED
from dcodr.words import counted


def store_facts(data: FactorDataset, path: Path) -> dict[str, Any]:
    """Return sizes, splits, spec, origin and warnings of a store, ready for JSON."""
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "n_images": len(data.images),
        "image_size": data.image_size,
        "n_domains": data.n_domains,
        "splits": {split: len(data.indices(split)) for split in SPLITS},
        "spec": asdict(data.spec),
        "fingerprint": data.fingerprint,
        "provenance": dict(data.provenance),
        "warnings": coverage_warnings(data),
    }


def print_facts(facts: Mapping[str, Any], more: Mapping[str, str]) -> None:
    """Print facts as a table with additional rows, and the warnings on standard error."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    spec, size = facts["spec"], facts["image_size"]
    rows = {
        "file": f"{facts['file']} ({facts['bytes'] / 1e6:.1f} MB)",
        "images": f"{facts['n_images']:,} of {size} x {size}",
        "domains": f"{_n_domains(spec['name'], facts['n_domains'])} ({spec['domain']})",
        "attributes": "\n".join(map(_attribute, spec["attributes"])) or "none",
        "splits": ", ".join(f"{n:,} {split}" for split, n in facts["splits"].items()),
        **{key: str(value) for key, value in facts["provenance"].items()},
        "fingerprint": facts["fingerprint"],
        **more,
    }
    table = Table(title=Text(spec["name"]), title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for key, value in rows.items():
        table.add_row(key, Text(value))
    Console().print(table)
    for warning in facts["warnings"]:
        warn(warning)


def _n_domains(name: str, n: int) -> str:
    """Return the number of domains, and that of the published dataset if some are missing."""
    whole = next((dataset.n_domains for known, dataset in PUBLISHED.items() if known == name), None)
    return f"{n:,}" if whole in (None, n) else f"{n:,} of {whole}"


def _attribute(attribute: dict[str, Any]) -> str:
    if attribute["cardinality"] is None:
        return f"{attribute['name']}: continuous"
    more = "".join(f", {word}" for word in ("cyclic", "derived") if attribute[word])
    if attribute["margin"]:
        more += f", margin {attribute['margin']}"
    return f"{attribute['name']}: {counted(attribute['cardinality'], 'class', 'classes')}{more}"
