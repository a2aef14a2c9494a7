"""BSS Eval v3 on arrays: scores, the engine of correlations behind them, and mir_eval's.

May import nothing of this package but :mod:`hiphopss.errors`.
"""
