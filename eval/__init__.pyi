from .bss.scores import bss_eval

__all__ = ["bss_eval"]
