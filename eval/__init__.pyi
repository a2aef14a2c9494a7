from .aggregate import Summary, format_summary, summarise, summary_path, write_summary
from .bss.scores import BSS_ENGINES, METRICS, MODES, References, Scores, bss_eval
from .comparison import Comparison, compare
from .evaluation import Baselines, evaluate, write_results
from .figure import plot_fig1
from .matching import Estimates, find_estimates
from .museval import write_museval
from .paired import (
    Difference,
    format_differences,
    paired_differences,
    paired_path,
    write_differences,
)
from .scoring import Results, Scoring, score
from .table import (
    COLUMNS,
    LEAK_NOTE,
    Row,
    is_uncertain,
    leaky_models,
    read_rows,
    rows_from_scores,
    write_rows,
)

__all__ = [
    "BSS_ENGINES",
    "COLUMNS",
    "LEAK_NOTE",
    "METRICS",
    "MODES",
    "Baselines",
    "Comparison",
    "Difference",
    "Estimates",
    "References",
    "Results",
    "Row",
    "Scores",
    "Scoring",
    "Summary",
    "bss_eval",
    "compare",
    "evaluate",
    "find_estimates",
    "format_differences",
    "format_summary",
    "is_uncertain",
    "leaky_models",
    "paired_differences",
    "paired_path",
    "plot_fig1",
    "read_rows",
    "rows_from_scores",
    "score",
    "summarise",
    "summary_path",
    "write_differences",
    "write_museval",
    "write_results",
    "write_rows",
    "write_summary",
]
