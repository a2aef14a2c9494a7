"""``python tests/vendor.py``: fetches what the page has from others, and is not in the repository.

Each library is one file of a release in the npm registry, whose checksum is pinned here. Without it
(when there is no network, say) hiphopss is built and works as well, and the page lacks what the
library is for. Its licence is beside it, in the repository.
"""

import functools
import hashlib
import io
import sys
import tarfile
import urllib.request
from base64 import b64encode
from pathlib import Path

STATIC = Path(__file__).parents[1] / "hiphopss" / "demo" / "static"
REGISTRY = "https://registry.npmjs.org"

# LAME as WebAssembly, and what calls it.
ENCODERS = (
    "wasm-media-encoders",
    "0.7.0",
    "sha512-Sp4wUasgxOK/IFfNhpon6LQQgYGwtpxyV4isjGIe1rvhnJL3w2KYr4f+CdqDNtGPDcgCDRY+uBanVfSx6Si0WQ==",
)

# Where it goes, its name and version, its tarball's checksum, and its file there.
LIBRARIES = {
    "vendor/signalsmith-stretch.js": (
        "signalsmith-stretch",
        "1.3.2",
        "sha512-tJqRbwPCoWLSHXwO29UQ75u72IwPsHns3RG+TKzuOAp7OduJiJMzEtz32JEFbPFQcTR7aiKCIVc+/Kzw8bMZUw==",
        "package/SignalsmithStretch.mjs",
    ),
    "vendor/wasm-media-encoders.js": (*ENCODERS, "package/dist/umd/WasmMediaEncoder.min.js"),
    "vendor/lame.wasm": (*ENCODERS, "package/wasm/mp3.wasm"),
}


@functools.cache
def fetch(name, version, integrity):
    """A release, checked; the bytes of its tarball."""
    with urllib.request.urlopen(f"{REGISTRY}/{name}/-/{name}-{version}.tgz", timeout=30) as answer:
        tarball = answer.read()
    found = "sha512-" + b64encode(hashlib.sha512(tarball).digest()).decode()
    if found != integrity:
        sys.exit(
            f"{name} {version}: the registry's file is not the one that was looked at: {found}"
        )
    return tarball


def unpacked(tarball, member):
    """One file of a release; its bytes."""
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        return archive.extractfile(member).read()


def main():
    """Fetch what is not there."""
    for place, (*release, member) in LIBRARIES.items():
        target = STATIC / place
        if target.exists():
            continue
        try:
            content = unpacked(fetch(*release), member)
        except OSError as error:
            print(f"{release[0]}: not fetched ({error}): the page is built without it")
            continue
        target.write_bytes(content)
        print(f"{place}: {release[0]} {release[1]}")


if __name__ == "__main__":
    main()
