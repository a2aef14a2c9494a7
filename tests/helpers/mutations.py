"""Records as nobody would write them: every value replaced, every key left out, texts that end."""

import copy
import json

import pytest

from hiphopss import HiphopssError

JUNK = (
    *(None, True, False, "", "x", "0.3", "a\nb\x1b[2J", "\ud800", 0, -1, 3, 7, 2**31, 2**40, 2**63),
    *(
        -(2**40),
        10**400,
        1e300,
        -1e-300,
        float("nan"),
        float("inf"),
        [],
        [1, 2],
        [[]],
        {},
        {"a": 1},
    ),
)

TEXTS = (
    *(b"", b"{", b"null", b"[]", b"1", b'"x"', b"[" * 50_000, b'{"a":' * 50_000, b"\xff\xfe"),
    *(b"NaN", b"9" * 5000, b'{"a": 1, "a": 2}', b"\x00", b"[1] x"),
)


def mutated(record):
    """Texts (bytes) of records that differ from a good one at one place."""
    yield from TEXTS
    whole = json.dumps(record).encode()
    yield from (whole[: len(whole) // 2], whole.replace(b'"', b"'"), whole + b",")
    for place in _places(record):
        for value in (_GONE, *JUNK):
            other = copy.deepcopy(record)
            inner = other
            for key in place[:-1]:
                inner = inner[key]
            if value is _GONE:
                del inner[place[-1]]
            else:
                inner[place[-1]] = value
            yield json.dumps(other).encode()


_GONE = object()


def _places(value, place=()):
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*place, key)
        if isinstance(item, dict | list):
            yield from _places(item, (*place, key))


def one_line_or_fine(action, *arguments, **options):
    """Call; the result, or None after a refusal, which must be one printable line."""
    try:
        return action(*arguments, **options)
    except HiphopssError as error:
        if not str(error).isprintable():
            raise AssertionError(repr(str(error))) from error
        return None


def all_refused(action, texts):
    """Every one of some texts is refused in one line."""
    for text in texts:
        with pytest.raises(HiphopssError) as caught:
            action(text)
        assert str(caught.value).isprintable()
