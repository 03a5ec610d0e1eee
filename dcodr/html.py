"""HTML pages that need no other file and no network: their style, scripts, charts and data are inside."""

import base64
import hashlib
import json
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from dcodr import palette


def render_page(package: str, name: str, title: str, data: object, /, **content: object) -> str:
    """Render a page from three files of a package: ``NAME.html``, ``NAME.css`` and ``NAME.js``.

    The template includes ``head``, which is ``head.html`` of this package, and has ``data``, ``library``
    (plotly.js) and ``script`` at its end.

    Args:
        package: The package that holds the files.
        name: Their name without its ending.
        title: Title of the page.
        data: What the script reads, as JSON values.
        content: Other values of the template; they are shown as text.
    """
    html, css, script = (
        files(package).joinpath(f"{name}.{ending}").read_text(encoding="utf-8")
        for ending in ("html", "css", "js")
    )
    library = get_plotlyjs()
    environment = Environment(
        loader=DictLoader({"head": files("dcodr").joinpath("head.html").read_text(encoding="utf-8")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(html).render(
        content,
        title=title,
        palette=palette,
        style=Markup(css),
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
