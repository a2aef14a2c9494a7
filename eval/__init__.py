"""Scores: BSS Eval, per-song CSV files, summaries and reference rows.

The names below are loaded when they are first used, because mir_eval alone takes seconds to import.
"""

import importlib

_MODULE_OF = {
    "Scores": "bss",
    "bss_eval": "bss",
    "ENGINES": "bss",
    "MODES": "bss",
    "References": "bss",
    "COLUMNS": "table",
    "LEAK_NOTE": "table",
    "Row": "table",
    "is_uncertain": "table",
    "trained_on_test": "table",
    "concatenate": "table",
    "read_rows": "table",
    "rows_from_scores": "table",
    "write_rows": "table",
    "Summary": "aggregate",
    "format_summary": "aggregate",
    "summarise": "aggregate",
    "summary_path": "aggregate",
    "write_summary": "aggregate",
    "evaluate": "evaluation",
    "ideal_ratio_mask_estimates": "bounds",
    "mixture_estimates": "bounds",
    "nmf_estimates": "nmf",
    "Comparison": "comparison",
    "compare": "comparison",
    "Difference": "paired",
    "format_differences": "paired",
    "paired_differences": "paired",
    "paired_path": "paired",
    "write_differences": "paired",
    "write_museval": "museval",
    "plot_fig1": "figure",
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str):
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
