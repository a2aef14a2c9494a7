"""The boxes of an MP4, built here by hand: what is added, and where the samples are afterwards."""

import re
import struct

import numpy as np
import pytest

from hiphopss.signal.ffmpeg import is_cut_off
from hiphopss.signal.formats.boxes import add_boxes, box, boxes_in, find_box

FTYP = box(b"ftyp", b"M4A \0\0\2\0M4A isom")
CHUNKS = [b"first chunk", b"second", b"the third one"]
STEM = box(b"stem", b'{"version": 1}')


def places_box(places, kind):
    width = "I" if kind == b"stco" else "Q"
    return box(kind, struct.pack(f">II{len(places)}{width}", 0, len(places), *places))


def moov(places, kind=b"stco", udta=None):
    """A movie of two tracks, of which the second has the places in reverse."""
    tracks = b""
    for mine in (places, places[::-1]):
        table = box(b"stbl", box(b"stsd", b"codec") + places_box(mine, kind))
        inside = box(b"tkhd", b"head") + box(b"mdia", box(b"minf", table))
        tracks += box(b"trak", inside + box(b"udta", box(b"name", b"track")))
    return box(b"moov", box(b"mvhd", b"movie") + tracks + (udta or b""))


def mp4(order, kind=b"stco", udta=None):
    """A whole file, its boxes in this order."""
    parts = {
        "ftyp": FTYP,
        "free": box(b"free", b"x" * 5),
        "mdat": box(b"mdat", b"".join(CHUNKS)),
        "moov": moov([0] * len(CHUNKS), kind, udta),
    }
    start = len(b"".join(parts[name] for name in order[: order.index("mdat")])) + 8
    lengths = np.cumsum([0, *map(len, CHUNKS[:-1])])
    parts["moov"] = moov([start + int(length) for length in lengths], kind, udta)
    return b"".join(parts[name] for name in order)


def chunks_at(content):
    """The places of chunks that the tables of the tracks have."""
    found = []
    for table in re.finditer(b"stco|co64", content):
        width = 4 if table[0] == b"stco" else 8
        (count,) = struct.unpack_from(">I", content, table.end() + 4)
        found.append(np.frombuffer(content, f">u{width}", count, table.end() + 8).tolist())
    return found


ORDERS = [
    ("ftyp", "free", "mdat", "moov"),  # as ffmpeg writes it
    ("ftyp", "moov", "mdat"),
    ("ftyp", "free", "moov", "free", "mdat", "free"),
    ("ftyp", "mdat", "free", "moov", "free"),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", [b"stco", b"co64"])
def test_samples_are_found_after_boxes_are_added(tmp_path, order, kind):
    path = tmp_path / "a.mp4"
    path.write_bytes(mp4(order, kind))
    seen = []

    def last():
        seen.append(path.read_bytes())
        return [box(b"skip", b"at the end")]

    add_boxes(path, udta=[STEM], last=last)
    content = path.read_bytes()
    assert content == seen[0] + box(b"skip", b"at the end")
    with open(path, "rb") as file:
        kinds = [b.kind.decode() for b in boxes_in(file, 0, len(content))]
    assert kinds == ["ftyp", "moov", *(name for name in order[1:] if name != "moov"), "skip"]
    for places, wanted in zip(chunks_at(content), (CHUNKS, CHUNKS[::-1]), strict=True):
        assert [content[p : p + len(w)] for p, w in zip(places, wanted, strict=True)] == wanted
    assert find_box(path, b"moov", b"udta", b"stem")[1] == b'{"version": 1}'
    assert content.count(b"track") == 2  # a track's own box of this type is left alone
    assert find_box(path, b"moov", b"udta", b"name") is None


def test_what_is_in_udta_stays(tmp_path):
    path = tmp_path / "a.mp4"
    for udta in (box(b"meta", b"tags"), box(b"meta", b"tags") + bytes(4)):  # QuickTime adds zeros
        path.write_bytes(mp4(ORDERS[0], udta=box(b"udta", udta)))
        add_boxes(path, udta=[STEM])
        start, content = find_box(path, b"moov", b"udta")
        assert content == box(b"meta", b"tags") + STEM
        assert path.read_bytes()[start + 4 : start + 8] == b"udta"


def test_places_beyond_32_bits_become_wide(tmp_path):
    path = tmp_path / "a.mp4"
    content = mp4(ORDERS[0])
    far = 2**32 - 20  # in a file whose end is not written here
    old = chunks_at(content)[0][-1]
    path.write_bytes(content.replace(struct.pack(">I", old), struct.pack(">I", far)))
    add_boxes(path, udta=[STEM])
    content = path.read_bytes()
    (size,) = struct.unpack(">I", content[len(FTYP) : len(FTYP) + 4])
    assert content.count(b"co64") == 2
    assert b"stco" not in content
    first = chunks_at(content)[0]
    # the far place lay behind moov, which has gone to the front
    assert first[-1] == far + size - len(moov([0] * 3))
    assert content[first[0] : first[0] + len(CHUNKS[0])] == CHUNKS[0]


def test_boxes_with_long_sizes_and_owners(tmp_path):
    path = tmp_path / "a.mp4"
    owner = b"uuid" + bytes(range(16))
    long = struct.pack(">I4sQ", 1, b"mdat", 16 + 4) + b"data"
    path.write_bytes(FTYP + long + box(owner, b"mine") + struct.pack(">I", 0) + b"free" + b"rest")
    assert find_box(path, b"mdat") == (len(FTYP), b"data")
    assert find_box(path, owner)[1] == b"mine"
    assert find_box(path, b"uuid" + bytes(16)) is None
    assert find_box(path, b"free")[1] == b"rest"
    assert not is_cut_off(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no box of the type ftyp"),
        (b"RIFF" * 10, "no box of the type ftyp"),
        (mp4(ORDERS[0])[:-1], "last box"),
        (mp4(ORDERS[1])[:-1], "last box"),
        (mp4(ORDERS[0]) + b"more", "last box"),
        (FTYP + moov([0]) + struct.pack(">I", 0) + b"mdat" + b"to the end", "last box"),
        (FTYP + box(b"mdat", b"x"), "0 boxes of the type moov"),
        (FTYP + moov([0]) + moov([0]), "2 boxes of the type moov"),
        (FTYP + moov([0]) + box(b"moof", b""), "fragmented"),
        (FTYP + box(b"moov", b"\0\0\0\3trak"), "a box of 3 bytes"),
        (FTYP + box(b"moov", struct.pack(">I", 99) + b"trak"), "a box of 99 bytes"),
        (FTYP + box(b"moov", b"tr"), "a box of"),
        (
            FTYP + moov([0]).replace(struct.pack(">II", 0, 1), struct.pack(">II", 0, 2**31)),
            "list of places",
        ),
    ],
)
def test_what_is_no_complete_mp4_is_not_changed(tmp_path, content, told):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=told):
        add_boxes(path, udta=[STEM])
    assert path.read_bytes() == content


def test_damage_anywhere_ends_well(tmp_path):
    path, rng = tmp_path / "a.mp4", np.random.default_rng(5)
    whole, n_refused = mp4(ORDERS[0], udta=box(b"udta", box(b"meta", b"tags"))), 0
    for _ in range(100):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), 2):
            content[place] = rng.choice([0, 1, 127, 255])
        path.write_bytes(content)
        find_box(path, b"moov", b"udta", b"stem")
        try:
            add_boxes(path, udta=[STEM])
        except ValueError:
            n_refused += 1
            assert path.read_bytes() == content
        else:
            assert find_box(path, b"moov", b"udta")[1].endswith(STEM)
    assert 10 < n_refused < 90
