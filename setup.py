"""Packaging of hiphopss.

``datasets/``, ``eval/`` and ``weights/`` stand at the top level of the checkout and are installed
as ``hiphopss.datasets``, ``hiphopss.eval`` and ``hiphopss.weights``: top-level packages of those
names would break other people's environments. In the checkout, links of the same names in
``hiphopss/`` make every path an import name, with or without installing; nothing here needs them.
"""

import re
import tomllib
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "hiphopss" / "__init__.py").read_text("utf-8"), re.M
).group(1)

REPOSITORY = re.search(
    r"^repository-code: (\S+)$", (HERE / "CITATION.cff").read_text("utf-8"), re.M
)
"""Its address, if ``CITATION.cff`` tells one."""

BESIDE = ("datasets", "eval", "weights")
"""Folders beside ``hiphopss/`` that are packages in it."""


def packages() -> list[str]:
    """All packages, each once, whether the checkout has links or not."""
    found = (name for name in find_packages("hiphopss") if name.split(".")[0] not in BESIDE)
    own = (f"hiphopss.{name}" for name in found)
    beside = (f"hiphopss.{top}.{name}" for top in BESIDE for name in find_packages(top))
    return ["hiphopss", *own, *(f"hiphopss.{name}" for name in BESIDE), *beside]


def long_description() -> str:
    """README, with addresses for what it names in the checkout, or without those links."""
    text = (HERE / "README.md").read_text("utf-8")
    if REPOSITORY is None:
        text = re.sub(r"!\[[^]]*\]\((?!\w+:)[^)]+\)\n*", "", text)
        return re.sub(r"\[([^]]+)\]\((?!\w+:|#)[^)]+\)", r"\1", text)
    address = REPOSITORY[1].rstrip("/")
    text = re.sub(r"(!\[[^]]*\]\()(?!\w+:)", rf"\1{address}/raw/v{VERSION}/", text)
    return re.sub(r"((?<!!)\[[^]]+\]\()(?!\w+:|#)", rf"\1{address}/blob/v{VERSION}/", text)


def project_urls() -> dict[str, str]:
    """Addresses of the repository and of what is in it."""
    if REPOSITORY is None:
        return {}
    address = REPOSITORY[1].rstrip("/")
    return {
        "Repository": address,
        "Changelog": f"{address}/blob/v{VERSION}/CHANGELOG.md",
        "Documentation": f"{address}/tree/v{VERSION}/docs",
    }


PACKAGES = packages()

EXTRAS = {
    extra: list(needed.values())
    for extra, needed in tomllib.loads(
        (HERE / "hiphopss" / "extras.toml").read_text("utf-8")
    ).items()
}

ALL = sorted({one for extra in EXTRAS if extra != "train-default" for one in EXTRAS[extra]})

DOCS = [  # `make docs`
    "furo>=2025.9",
    "ipykernel>=6.29,<8",
    "myst-nb>=1.3,<2",
    "numpydoc>=1.8,<2",
    "sphinx>=8.2,<10",
    "sphinx-copybutton>=0.5.2,<1",
    "sybil>=9,<11",  # `make test`, too: the examples of the pages
]

DEV = [  # for tests, lint and packages
    "axe-playwright-python>=0.1.8,<0.2",
    "build>=1.2,<2",
    "check-wheel-contents>=0.6,<0.7",
    "coverage>=7.10,<8",
    "httpx2>=2,<3",
    "imageio-ffmpeg>=0.6,<1",
    "museval>=0.4.1,<0.5",
    "mutmut>=3.3,<4; sys_platform != 'win32'",
    "mypy>=2,<3",
    "playwright>=1.55,<2",
    "pytest>=8,<10",
    "pytest-xdist>=3.6,<4",
    "ruff>=0.17,<0.18",
    "twine>=6,<8",
    "websockets>=14,<17",
]

setup(
    name="hiphopss",
    version=VERSION,
    description="Music source separation for hip hop: a Keras reference reimplementation of "
    "Martel & Miron (2017)",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    author="the hiphopss authors",
    keywords="music source separation, hip hop, stems, vocals, Keras, BSS Eval",
    project_urls=project_urls(),
    # LAME makes the page's MP3 files: a file of its own, with its licence beside it.
    license_expression="MIT AND LGPL-2.0-or-later",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=PACKAGES,
    package_dir={"hiphopss": "hiphopss", **{f"hiphopss.{name}": name for name in BESIDE}},
    package_data={
        **{name: ["*.pyi", "*.toml", "*.csv", "py.typed"] for name in PACKAGES},
        "hiphopss.demo": ["*.toml", "static/**/*"],
        "hiphopss.datasets.generated": ["*.toml", "facts/*.toml"],
        "hiphopss.weights": ["*.pyi", "*.toml", "*.weights.h5"],
    },
    install_requires=[  # what separate, remix, live, evaluate and weights can't do without
        "numpy>=2.0,<3",
        "scipy>=1.13,<2",
        "h5py>=3.11,<4",
        "soundfile>=0.13,<1",
        "soxr>=0.5,<2",
        "tqdm>=4.66,<5",
        "threadpoolctl>=3,<4",
        "msgspec>=0.20,<1",  # what files say of themselves is read with it
        "filelock>=4,<5",  # pure Python, as the next two: one run at a time makes an output
        "lazy_loader>=0.4,<1",  # public names, loaded when they are used
        "loky>=3.5,<4",  # several processes, of which `evaluate` starts as many as are worth it
        "shtab>=1.7,<2",  # completion in shells; pure Python, too
    ],
    extras_require={**EXTRAS, "all": ALL, "docs": DOCS, "dev": [*ALL, *DEV, *DOCS]},
    entry_points={"console_scripts": ["hiphopss = hiphopss.__main__:run"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: End Users/Desktop",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(11, 15)),
        "Topic :: Multimedia :: Sound/Audio :: Analysis",
        "Topic :: Multimedia :: Sound/Audio :: Mixers",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
