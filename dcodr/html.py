"""HTML pages that need no other file and no network: their style, scripts, charts and data are inside."""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from dcodr import palette
from dcodr.words import counted


def page_template(package: str, name: str) -> Template:
    """Return a template of a package, which shows all values as text.

    Templates include others of the package by name, and ``head.html`` of this package. They may
    call :func:`dcodr.words.counted`.
    """

    def read(wanted: str) -> str:
        home = "dcodr" if wanted == "head.html" else package
        return files(home).joinpath(wanted).read_text(encoding="utf-8")

    environment = Environment(
        loader=FunctionLoader(read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["counted"] = counted
    return environment.get_template(name)


def render_blocks(template: Template, names: Iterable[str], /, **content: object) -> dict[str, str]:
    """Render blocks of a template, each by itself."""
    return {name: "".join(template.blocks[name](template.new_context(content))).strip() for name in names}


def render_page(
    package: str,
    name: str,
    title: str,
    data: object,
    /,
    *,
    scripts: Sequence[str] = (),
    live: bool = False,
    **content: object,
) -> str:
    """Render a page from three files of a package: ``NAME.html``, ``NAME.css`` and ``NAME.js``.

    The template includes ``head.html``, and has ``data``, ``library`` (plotly.js) and ``script`` at its end.

    Args:
        package: The package that holds the files.
        name: Their name without its ending.
        title: Title of the page.
        data: What the script reads, as JSON values.
        scripts: Names without ending of scripts that run before ``NAME.js``.
        live: Whether the page may load data and images from the server it comes from.
        content: Other values of the template; they are shown as text.
    """
    home = files(package)
    parts = [home.joinpath(f"{one}.js").read_text(encoding="utf-8") for one in (*scripts, name)]
    script, library = "\n".join(parts), get_plotlyjs()
    return page_template(package, f"{name}.html").render(
        content,
        title=title,
        live=live,
        palette=palette,
        style=Markup(home.joinpath(f"{name}.css").read_text(encoding="utf-8")),
        library=Markup(library),
        script=Markup(script),
        hashes=[_script_hash(library), _script_hash(script)],
        data=Markup(_json_in_html(data)),
    )


def data_uri(kind: str, content: bytes) -> str:
    """Return content of a MIME type as a URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _script_hash(script: str) -> str:
    """Return the hash that lets a script run under a page's content policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _json_in_html(value: object) -> str:
    """Return a value as JSON that cannot close the HTML element around it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
