"""Configure Sphinx for ``make docs``. Nothing is downloaded."""

import importlib.metadata
import re
from pathlib import Path
from typing import Any

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

from docs.architecture import DIAGRAM, draw, read_diagram
from docs.space_reference import reference

HERE = Path(__file__).parent

project = "dcodr-tuning"
release = importlib.metadata.version(project)
html_title = project
html_theme = "furo"
html_math_renderer = "mathml"
html_show_copyright = False
html_show_sourcelink = False
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = [".md"]
exclude_patterns = ["_build"]
highlight_language = "text"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True}
napoleon_custom_sections = ["Shapes"]
add_module_names = False


def setup(app: Any) -> None:
    """Write the generated pages before Sphinx reads any page; browsers draw formulas themselves."""
    app.add_html_math_renderer("mathml", (_formula, None), (_formula, None))
    app.connect("builder-inited", _generate)
    app.connect("source-read", _draw_diagrams)


def _formula(page: Any, node: Any) -> None:
    # Docutils does not know \big, and brackets in MathML are as high as what they hold without it.
    latex = re.sub(r"\\[Bb]ig\b", "", node.astext())
    page.body.append(tex2mathml(latex, as_block=node.tagname == "math_block"))
    raise SkipNode


def _generate(app: Any) -> None:
    (HERE / "generated").mkdir(exist_ok=True)
    (HERE / "generated" / "space-file.md").write_text(reference(), encoding="utf-8")
    draw(read_diagram(), HERE / "generated" / "architecture.svg")


def _draw_diagrams(app: Any, name: str, source: list[str]) -> None:
    """Replace the Mermaid diagram, which GitHub draws in the browser, with a picture."""
    if name == "architecture":
        picture = "![How the parts import each other](generated/architecture.svg)"
        source[0] = DIAGRAM.sub(picture, source[0])
