"""Sphinx: MyST for Markdown, furo for the look, and nothing that a browser would fetch from anywhere else."""

from typing import Any

from pygments.lexers.data import JsonLexer
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "Billhook"
copyright = "the Billhook authors"  # noqa: A001 - Sphinx's own name
extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]
exclude_patterns = ["site"]
suppress_warnings = ["misc.highlighting_failure", "myst.header"]
# Code in a language that Pygments does not know reads as well without colours, and a level of heading may be left out.
html_theme = "furo"
html_title = "Billhook"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
highlight_language = "text"
html_theme_options: dict[str, Any] = {"navigation_with_keys": True}


def setup(app: Sphinx) -> None:
    """The two languages of our examples that Pygments has no name for."""
    app.add_lexer("csv", TextLexer)
    app.add_lexer("jsonl", JsonLexer)
