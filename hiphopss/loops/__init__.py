"""Room of loops: what a beat repeats to the sample tells what its voice is.

May import :mod:`hiphopss.signal` and :mod:`hiphopss.util`.
"""
