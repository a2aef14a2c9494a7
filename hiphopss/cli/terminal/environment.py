"""What the program runs on: versions, processors, memory and folders, for reports of bugs."""

from __future__ import annotations

import json
import os
import platform
import re
import tempfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from hiphopss import __version__
from hiphopss.util.files import amount
from hiphopss.util.threads import processor_count

_LEFT_OUT = ("dev",)  # extras for those who work on the package
_VARIABLES = (
    *("KERAS_BACKEND", "KERAS_HOME", "CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "XLA_FLAGS"),
    *("OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TMPDIR", "XDG_CACHE_HOME", "HHDS_PATH", "DSD_PATH", "MUSDB_PATH"),
    *("LANG", "LC_ALL", "PYTHONIOENCODING", "PYTHONUTF8"),
)
"""Variables that change what the program does, and are no secrets; no others are read."""

_REQUIREMENT = re.compile(r"([\w.-]+)[^;]*(?:;.*extra == ['\"]([\w.-]+)['\"])?")


def environment() -> dict[str, Any]:
    """Say what the program runs on. In paths, the user's home folder is ``~``.

    Returns
    -------
    dict
        ``hiphopss``, ``python``, ``system``: versions. ``packages``: by name, ``version`` (None if
        it is not installed) and ``extras`` that need it (none: all need it). ``keras_backend``.
        ``blas``: a list of ``of`` (the package that brought it, or None), ``library``,
        ``version``, ``architecture`` and ``threads``. ``ffmpeg``:
        ``path`` and ``version``, or None. ``processors`` (``all`` and ``usable``), ``processor``,
        ``memory`` in bytes (``total`` and ``free``; None if not known). ``folders``: ``package``,
        ``weights``, ``cache`` and ``temporary``. ``variables``: those that are set.
    """
    return _at_home(
        {
            "hiphopss": __version__,
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "system": platform.platform(),
            "packages": _packages(),
            "keras_backend": _keras_backend(),
            "blas": _blas(),
            "ffmpeg": _ffmpeg(),
            "processors": {"all": os.cpu_count(), "usable": processor_count()},
            "processor": _processor(),
            "memory": _memory(),
            "folders": _folders(),
            "variables": {n: os.environ[n] for n in _VARIABLES if n in os.environ},
        }
    )


def describe_environment(found: dict[str, Any]) -> str:
    """The facts from :func:`environment` for people, a line for each."""
    memory, ffmpeg, cores = found["memory"], found["ffmpeg"], found["processors"]
    facts = {
        "hiphopss": found["hiphopss"],
        "Python": found["python"],
        "system": found["system"],
        "processor": f"{found['processor']}, {cores['usable']} of {cores['all']} cores usable",
        "memory": ", ".join(
            f"{'not known' if n is None else amount(n)} {name}" for name, n in memory.items()
        ),
        "BLAS": "; ".join(
            f"{blas['library']} {blas['version']} of {blas['of'] or 'the system'}, "
            f"{blas['architecture']}, {blas['threads']} threads"
            for blas in found["blas"]
        ),
        "Keras backend": found["keras_backend"],
        "ffmpeg": f"{ffmpeg['version']}, {ffmpeg['path']}" if ffmpeg else "not on the PATH",
        **{f"{name} folder": path for name, path in found["folders"].items()},
        **found["variables"],
    }
    packages = {
        name: f"{facts['version'] or 'not installed'}"
        + (f" (for {', '.join(facts['extras'])})" if facts["extras"] else "")
        for name, facts in found["packages"].items()
    }
    width = max(map(len, [*facts, *packages])) + 2
    lines = [f"{name:{width}}{told}" for name, told in facts.items()]
    return "\n".join([*lines, "", *(f"{name:{width}}{told}" for name, told in packages.items())])


def _packages() -> dict[str, dict[str, Any]]:
    """What the installed package says it needs, those first that it always needs."""
    try:
        needed = requires("hiphopss") or []
    except PackageNotFoundError:  # run from a folder without installing
        needed = []
    extras: dict[str, set[str | None]] = {}
    for requirement in needed:
        name, extra = _parts(requirement)
        if name != "hiphopss" and extra not in _LEFT_OUT:
            extras.setdefault(name, set()).add(extra)
    always = sorted(name for name, of in extras.items() if None in of)
    return {
        name: {
            "version": _version(name),
            "extras": [] if name in always else sorted(filter(None, extras[name])),
        }
        for name in (*always, *sorted(extras.keys() - set(always)))
    }


def _parts(requirement: str) -> tuple[str, str | None]:
    """Name and extra of a requirement such as ``jax>=0.10; extra == "jax"``."""
    found = _REQUIREMENT.match(requirement)
    return (found[1].lower(), found[2]) if found else (requirement, None)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _keras_backend() -> str:
    """The backend that Keras would choose, without importing it."""
    if chosen := os.environ.get("KERAS_BACKEND"):
        return chosen
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    with suppress(OSError, ValueError, AttributeError):
        chosen = json.loads((home / "keras.json").read_text("utf-8")).get("backend")
    return chosen if isinstance(chosen, str) else "tensorflow"


def _blas() -> list[dict[str, Any]]:
    """The libraries for linear algebra of NumPy and SciPy, which are loaded for this."""
    import numpy  # noqa: F401
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    return [
        {
            "of": _wheel(library["filepath"]),
            "library": library["internal_api"],
            "version": library.get("version"),
            "architecture": library.get("architecture"),
            "threads": library["num_threads"],
        }
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]


def _wheel(library: str) -> str | None:
    """The package in whose wheel a library is, such as ``numpy.libs/libscipy_openblas64_.so``."""
    return next((name for name in ("numpy", "scipy") if name in Path(library).parts[-2]), None)


def _ffmpeg() -> dict[str, str] | None:
    from hiphopss.errors import HiphopssError
    from hiphopss.signal.ffmpeg import ffmpeg_version, find_ffmpeg

    try:
        program = find_ffmpeg("ffmpeg")
    except HiphopssError:
        return None
    return {"path": program, "version": ffmpeg_version(program)}


def _processor() -> str:
    """Name of the processor; Linux has it only in a file."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> dict[str, int | None]:
    """Bytes of memory, and those that are free for programs; None where Python can't say."""
    found: dict[str, int | None] = {"total": None, "free": None}
    with suppress(AttributeError, ValueError, OSError):  # Windows has no such function
        found["total"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text("utf-8").splitlines():
            if line.startswith("MemAvailable"):
                found["free"] = int(line.split()[1]) * 1024
    return found


def _folders() -> dict[str, Path]:
    from hiphopss.signal.lengths import cache_folder
    from hiphopss.weights.registry import shipped_folder

    found = {
        "package": Path(__file__).parents[2],
        "weights": shipped_folder(),
        "cache": cache_folder(),
        "temporary": Path(tempfile.gettempdir()),
    }
    return {name: path for name, path in found.items() if path is not None}


def _at_home(value: Any) -> Any:
    """The same with the user's home folder written as ``~``."""
    home = os.path.expanduser("~").rstrip(os.sep)
    if isinstance(value, dict):
        return {key: _at_home(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_at_home(item) for item in value]
    if isinstance(value, str | Path) and home not in ("", "~"):
        end = rf"(?=$|[{re.escape(os.sep + os.pathsep)}])"
        return re.sub(re.escape(home) + end, "~", str(value))
    return value if not isinstance(value, Path) else str(value)
