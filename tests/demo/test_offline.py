"""What an exported page consists of, as an app."""

import io
import json
import re

import pytest
from helpers.songs import read_json
from PIL import Image

from hiphopss.demo.device.icons import draw_icon
from hiphopss.demo.device.offline import ICONS, integrity
from hiphopss.demo.service import static_files
from hiphopss.util.files import sha256_of

MOST_BYTES = 4_000_000  # of the page with its engine and the default weights


@pytest.fixture(scope="module")
def kept(exported):
    """What the service worker keeps: hashes by address."""
    code = (exported / "service-worker.js").read_text("utf-8")
    found = re.search(r"^const EXPORTED = (\{.*?^\});", code, re.DOTALL | re.MULTILINE)
    return json.loads(found[1])


def test_page_is_small_and_all_of_it_is_kept(exported, kept):
    names = {
        path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()
    }
    page = {name for name in names if not name.startswith("results/")}
    assert sum((exported / name).stat().st_size for name in page) < MOST_BYTES
    without = {"service-worker.js", "export.json", "index.html"}
    assert set(kept["files"]) == {"./"} | page - without
    for address, found in kept["files"].items():
        path = exported / ("index.html" if address == "./" else address)
        assert integrity(path) == found
    assert not [name for name in page if name.endswith((".c", ".h"))]  # sources of the engine


def test_weights_are_named_with_their_hash(exported):
    (model,) = read_json(exported / "site.json")["device"]["models"]
    path = exported / model["weights"]
    assert model["id"] == "generated"
    assert model["bytes"] == path.stat().st_size
    assert model["sha256"] == sha256_of(path)


def test_policy_is_the_first_thing_that_the_page_says(exported):
    html = (exported / "index.html").read_text("utf-8")
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', html)
    before = html[: policy.start()]
    assert "<script" not in before
    assert "<link" not in before
    assert policy[1].startswith("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; ")
    assert "unsafe-inline" not in policy[1]
    addresses = re.findall(r'(?:href|src)="([^"#]+)"', html)
    there = [name for name in addresses if not name.startswith("http://localhost")]
    assert all((exported / name).is_file() for name in there)  # relative, and not missing


def test_icons_are_those_that_the_manifest_names(exported):
    manifest = read_json(exported / "manifest.webmanifest")
    named = {icon["src"]: icon for icon in manifest["icons"]}
    for name, (pixels, maskable) in ICONS.items():
        image = Image.open(exported / name).convert("RGBA")
        assert image.size == (pixels, pixels)
        assert named[name]["sizes"] == f"{pixels}x{pixels}"
        assert (named[name].get("purpose") == "maskable") == maskable
        corner = image.getpixel((0, 0))
        assert corner[3] == (255 if maskable else 0)
        at = [round((16 + (0.8 if maskable else 1) * (x - 16)) / 32 * pixels) for x in (19, 16)]
        assert image.getpixel(tuple(at)) == (0xF2, 0xB0, 0x4E, 255)  # the third bar
    assert named["icon.svg"]["sizes"] == "any"
    svg = static_files()["icon.svg"]
    first, second = (draw_icon(svg, pixels=48) for _ in range(2))
    assert first == second
    assert Image.open(io.BytesIO(first)).size == (48, 48)
