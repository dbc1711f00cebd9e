"""Templates, and the 3-D library that pages carry inside them: plotly.js, from the installed plotly package."""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from leakseg.errors import OutputError

if TYPE_CHECKING:
    import jinja2

_TEMPLATES = Path(__file__).parent / "templates"


@lru_cache(maxsize=1)
def plotly_js() -> str:
    """plotly.js (MIT, plotly.com/javascript) as gzip in base64; pages unpack it themselves.

    Raises
    ------
    OutputError
        Where the plotly package is not installed as a whole.
    """
    spec = find_spec("plotly")
    found = Path(spec.origin).parent / "package_data" / "plotly.min.js" if spec and spec.origin else None
    if found is None or not found.is_file():
        raise OutputError("The package plotly, which brings the pages' 3-D view, is not installed; pip install plotly.")
    return base64.b64encode(gzip.compress(found.read_bytes(), 6, mtime=0)).decode("ascii")


def script(name: str) -> tuple[str, str]:
    """A script of ours, and its hash as a content security policy names it."""
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    return text, "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def template(name: str) -> jinja2.Template:
    """A page's template; whatever is put into it is escaped."""
    return _environment().get_template(name)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
