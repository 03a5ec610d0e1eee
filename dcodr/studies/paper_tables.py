"""Tables 3 to 7 of the paper's supplement, as printed."""

from collections.abc import Mapping
from dataclasses import dataclass

from dcodr.config.methods import MethodName

METHODS: tuple[MethodName, ...] = ("simclr", "lord", "drnet", "ml_vae", "dcodr_norec", "dcodr")
"""The systems in the order of the tables."""


@dataclass(frozen=True)
class PaperTable:
    """A published table with the metrics of the six systems.

    Attributes:
        title: Its heading in the supplement.
        dataset: The dataset of the table.
        columns: For each column heading the name of our metric.
        cells: For each system its cells as printed, in the order of the columns.
        optimal: The row of ideal values; empty if the table has none.
    """

    title: str
    dataset: str
    columns: Mapping[str, str]
    cells: Mapping[MethodName, tuple[str, ...]]
    optimal: tuple[str, ...] = ()


def _rows(text: str) -> dict[MethodName, tuple[str, ...]]:
    """Parse the cells of the six systems, one line each."""
    return {
        method: tuple(line.split()) for method, line in zip(METHODS, text.strip().splitlines(), strict=True)
    }


_SHAPES3D = {
    "Floor": "floor_hue",
    "Wall": "wall_hue",
    "Object": "object_hue",
    "Scale": "scale",
    "Orientation": "orientation",
}

PAPER_TABLES: Mapping[int, PaperTable] = {
    3: PaperTable(
        "Table 3: Representation evaluation for each factor of SmallNORB",
        "smallnorb",
        {
            "Domain": "domain_accuracy",
            "Azimuth": "accuracy/azimuth",
            "Elevation": "accuracy/elevation",
            "Lighting": "accuracy/lighting",
        },
        _rows("""
            0.956 0.838 0.664 0.771
            0.393 0.731 0.384 0.895
            0.953 0.973 0.766 0.957
            0.968 0.982 0.868 0.982
            0.071 0.619 0.594 0.977
            0.143 0.684 0.695 0.977
        """),
        ("0.021", "1", "1", "1"),
    ),
    4: PaperTable(
        "Table 4: Representation evaluation for each factor of Shapes3D",
        "shapes3d",
        {"Domain": "domain_accuracy"} | {name: f"accuracy/{factor}" for name, factor in _SHAPES3D.items()},
        _rows("""
            1     0.983 0.985 0.988 1     1
            0.703 0.998 0.999 0.990 0.991 0.999
            0.892 1     1     1     0.999 1
            0.999 1     1     1     1     1
            0.246 1     0.999 0.998 0.991 0.997
            0.245 0.999 0.999 0.999 1     0.999
        """),
        ("0.25", "1", "1", "1", "1", "1"),
    ),
    5: PaperTable(
        "Table 5: SmallNORB retrieval accuracies",
        "smallnorb",
        {
            "Azimuth": "retrieval_top1/azimuth",
            "Elevation": "retrieval_top1/elevation",
            "Lighting": "retrieval_top1/lighting",
            "All": "retrieval_top1/all",
        },
        _rows("""
            0.31 0.14 0.24 0.02
            0.43 0.18 0.58 0.06
            0.47 0.25 0.62 0.09
            0.48 0.30 0.24 0.06
            0.56 0.39 0.94 0.22
            0.56 0.46 0.95 0.26
        """),
    ),
    6: PaperTable(
        "Table 6: Shapes3D retrieval accuracies",
        "shapes3d",
        {name: f"retrieval_top1/{factor}" for name, factor in _SHAPES3D.items()}
        | {"All": "retrieval_top1/all"},
        _rows("""
            0.186 0.132 0.107 0.142 0.171 <0.01
            0.99  0.99  0.93  0.87  0.94  0.77
            1     1     1     0.86  1     0.86
            1     1     1     0.64  0.98  0.63
            1     1     1     0.99  1     0.99
            1     1     1     1     1     1
        """),
    ),
    7: PaperTable(
        "Table 7: Edges2Shoes retrieval accuracies",
        "edges2shoes",
        {
            "Shoe Type": "retrieval_top1/shoe_type",
            "Gender": "retrieval_top1/gender",
            "All": "retrieval_top1/all",
        },
        _rows("""
            0.67 0.56 0.40
            0.85 0.74 0.66
            0.90 0.72 0.66
            0.91 0.70 0.65
            0.69 0.55 0.41
            0.97 0.92 0.90
        """),
    ),
}
"""The tables by their number in the supplement, section 3."""
