"""Settings of the documentation's site: ``make docs`` builds it into ``build/docs``."""

import warnings

import hiphopss

warnings.filterwarnings("ignore", "Unknown section Logs")  # see _logs_are_notes

project = "hiphopss"
author = "the hiphopss authors"
copyright = author
version = release = hiphopss.__version__

extensions = [
    "myst_nb",  # pages in Markdown, and notebooks, which are run
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_copybutton",
]

# Pages
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3  # as on GitHub
exclude_patterns = ["conftest.py"]

# The notebook is stored without outputs and run at each build, so that it can't be out of date.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_show_tb = True

# The reference, from the docstrings
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words
numpydoc_show_class_members = False
add_module_names = False
python_maximum_signature_line_length = 80
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# The site: its fonts are those of the reader's system, and nothing is fetched from elsewhere.
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"hiphopss {version}"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"top_of_page_buttons": []}


def _logs_are_notes(app, what, name, thing, options, lines):  # numpydoc knows no section "Logs"
    for k in range(len(lines) - 1):
        if lines[k : k + 2] == ["Logs", "----"]:
            lines[k : k + 2] = ["Notes", "-----", "Lines are logged:", ""]


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _logs_are_notes, priority=400)
