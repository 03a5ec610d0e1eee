"""Pieces of HTML pages that need no other file: data URIs, scripts allowed by their hash, JSON in a page."""

import base64
import hashlib
import json


def data_uri(kind: str, content: bytes) -> str:
    """Return content of a MIME type as a URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def script_hash(script: str) -> str:
    """Return the hash that lets a script run under a page's content policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def json_in_html(value: object) -> str:
    """Return a value as JSON that cannot close the HTML element around it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
