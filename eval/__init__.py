"""Scores: BSS Eval, per-song CSV files, summaries and reference rows."""
