"""Data sets: the download, from a server on this machine that acts as Zenodo, and archives."""

import hashlib
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers.archives import files_in, refused
from helpers.songs import told, warned
from helpers.zenodo import CHUNK, fetch, zip_folder

from hiphopss import HiphopssError, verify
from hiphopss.datasets.fetch.dataset import DATASETS, download_dataset
from hiphopss.datasets.hhds import hhds_songs
from hiphopss.datasets.roots import facts
from hiphopss.datasets.stems import load_stems
from hiphopss.util.files import amount
from hiphopss.util.locks import locked


def test_download_gives_the_root_and_nothing_else(server, hhds, tmp_path):
    folder = tmp_path / "data" / "hhds"
    assert fetch(server, folder) == folder
    assert files_in(folder) == files_in(hhds)
    assert verify(folder, progress=False).findings[0].state == "ok"
    assert [p.name for p in folder.parent.iterdir()] == ["hhds"]
    assert server.asked == [("/api/records/823037", None), ("/files/HHDS.zip", None)]
    stems = load_stems(hhds_songs(folder)[0], 44100)
    # 32-bit files
    np.testing.assert_allclose(stems[3], 3 / 9, rtol=1e-6)


def test_bars_licence_and_archive_are_all_that_is_shown(server, tmp_path, capfd):
    with told() as messages:
        download_dataset("hhds", tmp_path / "hhds", base_url=server.url)
    shown = capfd.readouterr()
    lines = [line for line in shown.err.replace("\r", "\n").split("\n") if line.strip()]
    assert lines[-1].startswith("unpack hhds")
    assert all(line.startswith(("HHDS.zip", "check HHDS.zip", "unpack")) for line in lines)
    assert shown.out == ""
    licence, size = messages
    assert licence.startswith("HHDS: licence: see its record")
    md5 = hashlib.md5(server.files["HHDS.zip"]).hexdigest()
    n_bytes = amount(len(server.files["HHDS.zip"]))
    page = "https://doi.org/10.5281/zenodo.823037"
    assert size == f"HHDS.zip: {n_bytes} from {page}, MD5 {md5}"


def test_a_second_call_asks_nobody(server, tmp_path):
    root = fetch(server, tmp_path / "hhds")
    server.asked.clear()
    assert fetch(server, root) == root
    assert fetch(server, tmp_path) == root  # the folder above
    assert server.asked == []


def test_of_several_archives_the_largest_is_taken(serve, archive, hhds, tmp_path):
    server = serve(HHDS_zip=archive.read_bytes(), extras_zip=b"x", readme=b"y" * 10**6)
    with warned(r"taking HHDS\.zip, the largest, and not extras\.zip"):
        root = fetch(server, tmp_path / "hhds")
    assert files_in(root) == files_in(hhds)


def test_a_record_without_an_archive_is_told(serve, tmp_path):
    refused(r"no \.zip in the record.*readme", fetch, serve(readme=b"x"), tmp_path / "hhds")


def test_too_small_a_disk_is_told_before(server, archive, tmp_path, monkeypatch):
    usage = {"free": 10}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), usage))
    refused(r"0\.0 kB free, but HHDS\.zip.*make room", fetch, server, tmp_path / "hhds")
    assert server.of_files() == []
    unpack = {"archive": archive, "progress": False}
    refused("unpacked HHDS.zip.*make room", download_dataset, "hhds", tmp_path / "hhds", **unpack)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_up_is_told(server, tmp_path):
    checksum = server.record["files"][0]["checksum"]
    (tmp_path / f".hhds-{checksum[-8:]}.zip.part").symlink_to("/dev/full")
    refused("No space left on device.*make room", fetch, server, tmp_path / "hhds")


def test_a_folder_into_which_another_run_downloads_is_left_alone(server, tmp_path):
    (tmp_path / "hhds").mkdir()
    with locked(tmp_path / "hhds"), ThreadPoolExecutor(1) as another:
        tried = another.submit(fetch, server, tmp_path / "hhds")
        with pytest.raises(HiphopssError, match="hhds: another run is making it"):
            tried.result()
    assert server.of_files() == []


def test_a_folder_with_other_things_is_left_alone(server, tmp_path):
    (tmp_path / "mine").write_text("x")
    refused("no data set is in it: choose a new", fetch, server, tmp_path)
    refused("no data set is in it: choose a new", fetch, server, tmp_path / "mine")
    assert server.asked == []


def test_an_archive_at_hand_is_unpacked_and_kept(archive, hhds, tmp_path, monkeypatch):
    monkeypatch.setattr("requests.get", None)  # which would be called
    root = download_dataset("hhds", tmp_path / "hhds", archive=archive, progress=False)
    assert files_in(root) == files_in(hhds)
    assert archive.exists()
    refused("no such file", download_dataset, "hhds", tmp_path / "b", archive=tmp_path / "a.zip")


def test_an_archive_without_a_folder_at_its_top_is_unpacked(hhds, tmp_path):
    zip_folder(hhds, tmp_path / "flat.zip")
    root = download_dataset(
        "hhds", tmp_path / "hhds", archive=tmp_path / "flat.zip", progress=False
    )
    assert files_in(root) == files_in(hhds)


def test_a_damaged_archive_leaves_nothing_behind(archive, tmp_path):
    data = bytearray(archive.read_bytes())
    readme = data.index(b"HHDS/README") + 5000
    data[readme : readme + 100] = bytes(100)
    for name, content in (
        ("flipped.zip", data),
        ("cut.zip", data[:-1000]),
        ("page.zip", b"<html>"),
    ):
        (tmp_path / name).write_bytes(content)
        options = {"archive": tmp_path / name, "progress": False}
        refused(
            "damaged, or no zip.*download it again",
            download_dataset,
            "hhds",
            tmp_path / "x",
            **options,
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.zip", "flipped.zip", "page.zip"]


@pytest.fixture(params=["musdb18hq", "musdb18"])
def musdb(request, tmp_path, monkeypatch):
    """Name, archive and content of a set in MUSDB18's layout, whose archive is the known one."""
    name, top = request.param, tmp_path / "made"
    songs = ("train/A - B", "train/C - D", "test/E - F")
    for song in songs:
        files = [f"{song}.stem.mp4"]
        if name == "musdb18hq":
            files = [f"{song}/{stem}.wav" for stem in ("mixture", "vocals", "bass", "drums")]
        for file in files:
            (top / file).parent.mkdir(parents=True, exist_ok=True)
            (top / file).write_bytes(np.random.default_rng(len(file)).bytes(20_000))
    path = tmp_path / facts()[name]["archive"]
    zip_folder(top, path)
    monkeypatch.setitem(facts()[name], "size", path.stat().st_size)
    monkeypatch.setitem(facts()[name], "md5", hashlib.md5(path.read_bytes()).hexdigest())
    return name, path, files_in(top)


def test_musdb_is_told_before_and_resumed(serve, musdb, tmp_path):
    name, path, content = musdb
    doi = facts()[name]["doi"]
    server = serve(**{path.name.replace(".zip", "_zip"): path.read_bytes()}, other_zip=b"x" * 10**6)
    server.cuts = [2 * CHUNK]
    asked = []  # of the archive, before each message
    with told(lambda: asked.append(server.of_files())) as messages:
        root = download_dataset(name, tmp_path / "data", base_url=server.url, progress=False)
    assert files_in(root) == content
    assert server.asked[0] == (f"/api/records/{doi.rpartition('.')[2]}", None)
    assert server.of_files() == [None, f"bytes={2 * CHUNK}-"]
    licence, size = messages
    assert "licence: most songs for non-commercial" in licence
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    n_bytes = amount(path.stat().st_size)
    assert size == f"{path.name}: {n_bytes} from https://doi.org/{doi}, MD5 {md5}"
    assert asked == [[], []]
    assert not any(file.name.startswith(".data") for file in tmp_path.iterdir())
    server.asked.clear()
    with told() as messages:
        assert download_dataset(name, root, base_url=server.url) == root
    assert server.asked == []
    assert "is there already" in messages[0]


def test_what_came_before_is_told(serve, archive, tmp_path):
    content = archive.read_bytes()
    server = serve(HHDS_zip=content)
    md5 = hashlib.md5(content).hexdigest()
    (tmp_path / f".hhds-{md5[-8:]}.zip.part").write_bytes(content[: 5 * CHUNK])
    with told() as messages:
        fetch(server, tmp_path / "hhds")
    assert re.search(r"; \d+\.\d kB of it came before$", messages[-1])
    assert server.of_files() == [f"bytes={5 * CHUNK}-"]


@pytest.mark.parametrize("key", ["size", "md5"])
def test_a_record_of_another_archive_is_refused(serve, musdb, tmp_path, monkeypatch, key):
    name, path, _ = musdb
    monkeypatch.setitem(facts()[name], key, {"size": 7, "md5": 32 * "0"}[key])
    server = serve(**{path.name.replace(".zip", "_zip"): path.read_bytes()})
    options = {"base_url": server.url}
    pattern = f"the record says {path.name} has {path.stat().st_size} bytes and MD5 .*is known"
    refused(pattern, download_dataset, name, tmp_path / "data", **options)
    server = serve(another_zip=path.read_bytes())
    pattern = f"no {path.name} in the record, which lists another.zip"
    refused(pattern, download_dataset, name, tmp_path / "data", base_url=server.url)
    assert server.of_files() == []


def test_space_is_wanted_for_the_content_too(server, archive, tmp_path, monkeypatch):
    size = archive.stat().st_size
    usage = {"free": 2 * size - 1}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), usage))
    refused(r"HHDS\.zip with its content", fetch, server, tmp_path / "hhds")
    assert server.of_files() == []


def test_a_given_archive_is_checked_as_far_as_it_is_known(musdb, tmp_path, monkeypatch):
    name, path, content = musdb
    root = download_dataset(name, tmp_path / "a", archive=path, progress=False)
    assert files_in(root) == content
    assert path.exists()
    options = {"archive": path, "progress": False}
    monkeypatch.setitem(facts()[name], "md5", 32 * "0")
    refused(f"its MD5 is .*, but that of {path.name} is 0", download_dataset, name, "b", **options)
    monkeypatch.setitem(facts()[name], "size", path.stat().st_size + 1)
    refused(f"bytes, but {path.name} of MUSDB18.*cut off", download_dataset, name, "b", **options)
    refused("no such file", download_dataset, name, tmp_path / "b", archive=tmp_path / "none.zip")


@pytest.fixture
def dsd100(tmp_path, monkeypatch):
    """An archive in DSD100's layout, and the function that makes it the known one."""
    for number in ("005", "049", "055", "081"):
        song = tmp_path / "DSD100" / "Sources" / "Dev" / f"{number} - A - B"
        song.mkdir(parents=True)
        (song / "bass.wav").write_bytes(b"RIFF")
    path = tmp_path / "mine.zip"
    zip_folder(tmp_path / "DSD100", path, "DSD100/")
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    return path, lambda: monkeypatch.setitem(facts()["dsd100"], "md5", md5)


def test_dsd100_is_unpacked_from_its_archive_if_its_md5_is_right(dsd100, tmp_path, capfd):
    path, be_known = dsd100
    be_known()
    root = download_dataset("dsd100", tmp_path / "dsd", archive=path)
    assert files_in(root) == files_in(tmp_path / "DSD100")
    assert path.exists()
    assert "check mine.zip: 100%" in capfd.readouterr().err


def test_dsd100_without_an_archive_or_with_another_is_refused(dsd100, tmp_path):
    path, _ = dsd100
    md5 = "e8964d97d6f320962647e24ebc6773e3"
    refused(
        f"DSD100: has no DOI.*get DSD100.zip .MD5 {md5}. from .*SiSEC 2016.*--archive DSD100.zip",
        *(download_dataset, "dsd100", tmp_path / "dsd"),
    )
    wanted = {"archive": path, "progress": False}
    refused(
        f"mine.zip: its MD5 is .*{md5}: this is probably DSD100subset.zip.*005, 049, 055, 081.*by "
        "hand",
        *(download_dataset, "dsd100", tmp_path / "dsd"),
        **wanted,
    )
    path.write_bytes(path.read_bytes()[:-100])
    other = f"{md5}: cut off, or another file: download it again"
    refused(other, download_dataset, "dsd100", tmp_path / "dsd", **wanted)
    assert not (tmp_path / "dsd").exists()


def test_an_unknown_data_set_is_told(tmp_path):
    refused("'musdb': choose one of hhds, musdb18hq", download_dataset, "musdb", tmp_path)
    assert {name for name, known in facts().items() if "holding" in known} == set(DATASETS)


def test_a_folder_with_several_data_sets_is_told(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "Sources").mkdir(parents=True)
    refused("several data sets in it .a, b.", download_dataset, "hhds", tmp_path)
