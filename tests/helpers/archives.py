"""What tests of downloads and of archives have in common."""

import pytest

from hiphopss import HiphopssError
from hiphopss.datasets.fetch.unzip import RECORD


def files_in(root):
    """What each file below a folder holds, but for the record of a download."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path != root / RECORD
    }


def refused(pattern, action, *arguments, **options):
    """The action raises one line with this in it."""
    with pytest.raises(HiphopssError, match=pattern) as raised:
        action(*arguments, **options)
    assert "\n" not in str(raised.value)
