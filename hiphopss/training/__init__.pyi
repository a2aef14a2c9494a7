from .loop import TrainingSettings, train
from .processes import Cluster
from .steps import compile_model

__all__ = ["Cluster", "TrainingSettings", "compile_model", "train"]
