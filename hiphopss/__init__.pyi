# The public names, in one place. Each line imports the names that one verb or one stage needs.

from .adaptation.adapting import Adaptation, adapt
from .adaptation.settings import AdaptationSettings
from .cli.terminal.environment import environment
from .config import PRESETS, SOURCES, Fidelity, LossWeights, SignalConfig
from .datasets.features.audition import audition, list_segments
from .datasets.features.make import make_features
from .datasets.features.plan import FeaturePlan, plan_features
from .datasets.features.selection import SongChoice
from .datasets.fetch.dataset import download_dataset
from .datasets.generated import generate
from .datasets.songs import Song, find_songs, read_songs
from .demo.export import export_site
from .demo.limits import Limits
from .demo.server import serve
from .errors import HiphopssError
from .eval.bss.scores import Scores, bss_eval
from .eval.campaign.compare import (
    CampaignComparison,
    CampaignSettings,
    compare_with_campaign,
)
from .eval.comparison import Comparison, compare
from .eval.evaluation import Baselines, evaluate
from .eval.protocols import Scoring
from .live.ends import list_devices
from .live.session import LiveSettings, Pcm, run_live
from .live.stream import StreamingSeparator
from .loops.separator import LoopSeparator
from .network.model import build_model
from .remixing.many import remix_files
from .remixing.mixing import Mix, Mixer, mix
from .remixing.remix import remix
from .reproduction.ablation import AblationSettings, ablate
from .reproduction.experiments import profile
from .reproduction.plan import Plan, plan
from .reproduction.reproduce import ReproductionSettings, reproduce
from .separation.files import separate_files
from .separation.separator import Separator, separate
from .separation.settings import OutputSettings, SeparationSettings
from .separation.watching import watch
from .signal.part import Part
from .signal.stem_files import write_stem_file
from .training.loop import train
from .training.processes import Cluster
from .training.settings import TrainingSettings
from .training.steps import compile_model
from .util.executor import Executor
from .verification.findings import Finding, Verification
from .verification.verify import verify
from .weights.converting import convert_weights
from .weights.description import describe_weights
from .weights.exporting.export import Export, export_weights
from .weights.files import load_model, load_published, save_weights
from .weights.registry import list_weights

__version__: str

# fmt: off
__all__ = [
    "PRESETS",
    "SOURCES",
    "AblationSettings",
    "Adaptation",
    "AdaptationSettings",
    "Baselines",
    "CampaignComparison",
    "CampaignSettings",
    "Cluster",
    "Comparison",
    "Executor",
    "Export",
    "FeaturePlan",
    "Fidelity",
    "Finding",
    "HiphopssError",
    "Limits",
    "LiveSettings",
    "LoopSeparator",
    "LossWeights",
    "Mix",
    "Mixer",
    "OutputSettings",
    "Part",
    "Pcm",
    "Plan",
    "ReproductionSettings",
    "Scores",
    "Scoring",
    "SeparationSettings",
    "Separator",
    "SignalConfig",
    "Song",
    "SongChoice",
    "StreamingSeparator",
    "TrainingSettings",
    "Verification",
    "__version__",
    "ablate",
    "adapt",
    "audition",
    "bss_eval",
    "build_model",
    "compare",
    "compare_with_campaign",
    "compile_model",
    "convert_weights",
    "describe_weights",
    "download_dataset",
    "environment",
    "evaluate",
    "export_site",
    "export_weights",
    "find_songs",
    "generate",
    "list_devices",
    "list_segments",
    "list_weights",
    "load_model",
    "load_published",
    "make_features",
    "mix",
    "plan",
    "plan_features",
    "profile",
    "read_songs",
    "remix",
    "remix_files",
    "reproduce",
    "run_live",
    "save_weights",
    "separate",
    "separate_files",
    "serve",
    "train",
    "verify",
    "watch",
    "write_stem_file",
]
# fmt: on
