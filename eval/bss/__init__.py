"""BSS Eval v3 on arrays: the scores, the correlation engine behind them, and mir_eval's engine.

May import nothing of this package except :mod:`hiphopss.errors`.
"""
