"""``python tests/vendor.py``: fetches what the page has from others, and is not in the repository.

Each library is one file of a release in the npm registry, whose checksum is pinned here. Without it
(when there is no network, say) hiphopss is built and works as well, and the page lacks what the
library is for. Its licence is beside it, in the repository.
"""

import hashlib
import io
import sys
import tarfile
import urllib.request
from base64 import b64encode
from pathlib import Path

STATIC = Path(__file__).parents[1] / "hiphopss" / "demo" / "static"
REGISTRY = "https://registry.npmjs.org"

# Where it goes, its name and version, its tarball's checksum, and its file there.
LIBRARIES = {
    "vendor/signalsmith-stretch.js": (
        "signalsmith-stretch",
        "1.3.2",
        "sha512-tJqRbwPCoWLSHXwO29UQ75u72IwPsHns3RG+TKzuOAp7OduJiJMzEtz32JEFbPFQcTR7aiKCIVc+/Kzw8bMZUw==",
        "package/SignalsmithStretch.mjs",
    ),
}


def fetch(name, version, integrity, member):
    """One file of a release; its bytes."""
    with urllib.request.urlopen(f"{REGISTRY}/{name}/-/{name}-{version}.tgz", timeout=30) as answer:
        tarball = answer.read()
    found = "sha512-" + b64encode(hashlib.sha512(tarball).digest()).decode()
    if found != integrity:
        sys.exit(
            f"{name} {version}: the registry's file is not the one that was looked at: {found}"
        )
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        return archive.extractfile(member).read()


def main():
    """Fetch what is not there."""
    for place, library in LIBRARIES.items():
        target = STATIC / place
        if target.exists():
            continue
        try:
            content = fetch(*library)
        except OSError as error:
            print(f"{library[0]}: not fetched ({error}): the page is built without it")
            continue
        target.write_bytes(content)
        print(f"{place}: {library[0]} {library[1]}")


if __name__ == "__main__":
    main()
