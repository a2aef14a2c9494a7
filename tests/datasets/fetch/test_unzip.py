"""Archives as they may come: with backslashes, malicious, encrypted."""

import zipfile

import pytest
from helpers.archives import files_in, refused

from hiphopss.datasets.fetch import unzip
from hiphopss.datasets.fetch.dataset import download_dataset


def zip_of(path, *members):
    """An archive with Sources, and these members: names, or their ZipInfo."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("HHDS/Sources/Dev/song/bass.wav", b"RIFF")
        for member in members:
            archive.writestr(member, b"x")
    return path


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


def test_an_archive_with_backslashes_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("HHDS\\Sources\\", "HHDS\\Sources\\Dev\\song\\bass.wav"):
            archive.writestr(name, b"")
    root = download_dataset("hhds", tmp_path / "hhds", archive=tmp_path / "a.zip", progress=False)
    assert list(files_in(root)) == ["Sources/Dev/song/bass.wav"]


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("../evil", "leads outside"),
        ("HHDS/Sources/../../../evil", "leads outside"),
        ("HHDS\\..\\..\\evil", "leads outside"),
        ("/tmp/evil", "leads outside"),
        ("C:\\evil", "leads outside"),
        ("__MACOSX/../../evil", "leads outside"),
        (link("HHDS/Sources/Test"), "is a link"),
        ("HHDS/Sources/Dev/song/BASS.wav", "is in it twice"),
        ("HHDS/Sources/Dev/song/bass.wav/x", "can't unpack"),
        ("Other/Sources/Dev/song/bass.wav", "HHDS and Other in it with 'Sources'"),
    ],
)
def test_a_malicious_archive_is_refused(tmp_path, member, reason):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    archive = zip_of(tmp_path / "evil.zip", member)
    refused(reason, download_dataset, "hhds", inner / "hhds", archive=archive, progress=False)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b", "evil.zip"]


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unzip, "_FREE_BYTES", 0)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Sources/Dev/song/bass.wav", bytes(10**6))
    refused("1000000 bytes are packed in", download_dataset, "hhds", tmp_path / "x", archive=path)


def test_an_encrypted_archive_is_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag in the table of contents
    path.write_bytes(data)
    refused("is encrypted", download_dataset, "hhds", tmp_path / "x", archive=path)
