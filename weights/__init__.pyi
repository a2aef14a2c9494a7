from .files import load_published

__all__ = ["load_published"]
