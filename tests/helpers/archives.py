"""What tests of downloads and of archives have in common."""

import pytest

from hiphopss import HiphopssError


def files_in(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def refused(pattern, action, *arguments, **options):
    """The action raises one line with this in it."""
    with pytest.raises(HiphopssError, match=pattern) as raised:
        action(*arguments, **options)
    assert "\n" not in str(raised.value)
