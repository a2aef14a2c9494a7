from .steps import compile_model

__all__ = ["compile_model"]
