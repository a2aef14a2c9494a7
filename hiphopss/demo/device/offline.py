"""An exported page as an app: its policy, manifest, icons and service worker.

A visitor's browser keeps the page, the engine and the weights after the first visit, so that it
works without a network. What it keeps has a version: the hash of all files of the site. As browsers
compare the service worker byte by byte, a changed file brings a new one, which fetches what has
changed.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from pathlib import Path

from hiphopss.demo.device.icons import draw_icon
from hiphopss.demo.security import page_policy

WORKER = "service-worker.js"
ICONS = {
    "icon-192.png": (192, False),
    "icon-512.png": (512, False),
    "icon-maskable.png": (512, True),
}
"""Icons of the app by name: their size in pixels, and whether systems may cut them."""

_UNFILLED = "const EXPORTED = null;"
_CHARSET = '<meta charset="utf-8">'
_LINKS = (
    '  <link rel="manifest" href="manifest.webmanifest">\n'
    '  <link rel="apple-touch-icon" href="icon-192.png">\n'
)


def make_app(site: Path) -> None:
    """Make an app of a page that is ready otherwise.

    Parameters
    ----------
    site : Path
        Folder with the page, the weights, ``site.json`` and the results of songs, which browsers
        keep only when they have been opened.
    """
    page = site / "index.html"
    policy = f'{_CHARSET}\n  <meta http-equiv="Content-Security-Policy" content="{page_policy()}">'
    html = page.read_text("utf-8")
    html = _replaced(_replaced(html, _CHARSET, policy), "</head>", f"{_LINKS}</head>")
    page.write_text(html, "utf-8", newline="\n")
    for name, (pixels, maskable) in ICONS.items():
        (site / name).write_bytes(draw_icon(site / "icon.svg", pixels=pixels, maskable=maskable))
    hashes = {_address(path, site): integrity(path) for path in _files(site)}
    version = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:16]
    files = {name: hash for name, hash in hashes.items() if not name.startswith("results/")}
    exported = json.dumps({"version": version, "files": files}, indent=2)
    worker = site / WORKER
    code = _replaced(worker.read_text("utf-8"), _UNFILLED, f"const EXPORTED = {exported};")
    worker.write_text(code, "utf-8", newline="\n")


def _files(site: Path) -> list[Path]:
    """All files, without the service worker itself."""
    return [path for path in sorted(site.rglob("*")) if path.is_file() and path.name != WORKER]


def _address(path: Path, site: Path) -> str:
    """The address of a file; the page's own is that of its folder, as some hosts insist on it."""
    address = path.relative_to(site).as_posix()
    return "./" if address == "index.html" else address


def integrity(path: Path) -> str:
    """The hash of a file, as browsers check it."""
    return f"sha256-{b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()}"


def _replaced(text: str, old: str, new: str) -> str:
    before, found, after = text.partition(old)
    assert found, old
    return before + new + after
