"""Downloads: gone on with after anything, and checked; a server on this machine acts as Zenodo."""

import pytest
from helpers.archives import files_in, refused
from helpers.zenodo import CHUNK, fetch

from hiphopss.datasets.fetch import download, unzip
from hiphopss.datasets.fetch.dataset import download_dataset


def test_a_broken_connection_is_gone_on_with(server, hhds, tmp_path):
    server.cuts = [2 * CHUNK, CHUNK + 1]
    root = fetch(server, tmp_path / "hhds")
    assert server.of_files() == [None, f"bytes={2 * CHUNK}-", f"bytes={3 * CHUNK}-"]
    assert files_in(root) == files_in(hhds)


def test_a_broken_download_is_gone_on_with_by_the_next_call(server, hhds, tmp_path):
    server.cuts = [2 * CHUNK]
    answer = server.answer

    def fail_later(handler):
        if server.of_files():
            server.status = 503
        answer(handler)

    server.answer = fail_later
    message = f"status 503; {2 * CHUNK} of .* are kept.*check the network.*doi.org/10.5281/zenodo"
    refused(message, fetch, server, tmp_path / "hhds")
    assert not (tmp_path / "hhds").exists()
    assert len(server.of_files()) == 1 + download.ATTEMPTS
    server.answer, server.status = answer, 200
    server.asked.clear()
    root = fetch(server, tmp_path / "hhds")
    assert server.of_files() == [f"bytes={2 * CHUNK}-"]
    assert files_in(root) == files_in(hhds)


def test_a_server_without_ranges_sends_all_again(server, hhds, tmp_path):
    server.ranges = False
    server.cuts = [2 * CHUNK]
    root = fetch(server, tmp_path / "hhds")
    assert server.of_files() == [None, f"bytes={2 * CHUNK}-"]
    assert files_in(root) == files_in(hhds)


def test_a_server_that_always_breaks_is_given_up(server, tmp_path):
    server.ranges = False
    server.cuts = [CHUNK] * 99
    refused(f"the connection broke; {CHUNK} of", fetch, server, tmp_path / "hhds")
    assert len(server.of_files()) == 1 + download.ATTEMPTS


def test_a_wrong_checksum_starts_anew(server, hhds, tmp_path):
    content = server.files["HHDS.zip"]
    server.files["HHDS.zip"] = bytes([content[0] ^ 1]) + content[1:]
    refused("another checksum.*run it again", fetch, server, tmp_path / "hhds")
    assert list(tmp_path.iterdir()) == []
    server.files["HHDS.zip"] = content
    assert files_in(fetch(server, tmp_path / "hhds")) == files_in(hhds)


def test_an_unpacking_that_broke_off_needs_no_second_download(server, hhds, tmp_path, monkeypatch):
    monkeypatch.setattr(unzip, "MAX_FILES", 1)
    refused("not unpacked", fetch, server, tmp_path / "hhds")
    assert not (tmp_path / "hhds").exists()
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert files_in(fetch(server, tmp_path / "hhds")) == files_in(hhds)
    assert server.of_files() == [None]


def test_a_file_of_another_size_is_refused(server, tmp_path):
    server.cuts = [2 * CHUNK]
    server.record["files"][0]["size"] += 1
    refused("another part or size", fetch, server, tmp_path / "hhds")


def test_a_part_that_the_server_does_not_know_is_dropped(server, tmp_path):
    (item,) = server.record["files"]
    part = tmp_path / f".hhds-{item['checksum'][-8:]}.zip.part"
    part.write_bytes(bytes(item["size"] + 1))
    item["size"] += 2
    refused("another part or size", fetch, server, tmp_path / "hhds")
    assert server.of_files() == [f"bytes={item['size'] - 1}-", None]
    assert not part.exists()


def test_another_range_than_asked_for_is_refused(server, tmp_path):
    server.cuts = [2 * CHUNK]
    server.shift = 1
    refused("another part or size", fetch, server, tmp_path / "hhds")


def test_the_other_shape_of_record_is_read(server, hhds, tmp_path):
    (item,) = server.record["files"]
    server.record["files"] = [
        {
            "filename": item["key"],
            "filesize": item["size"],
            "checksum": item["checksum"].removeprefix("md5:"),
        }
    ]
    assert files_in(fetch(server, tmp_path / "hhds")) == files_in(hhds)
    assert server.asked[-1][0] == "/records/823037/files/HHDS.zip?download=1"


@pytest.mark.parametrize(
    "record", [b"<html>log in</html>", b"[]", b'{"files": [{"key": "a.zip", "checksum": "md5:0"}]}']
)
def test_an_answer_that_is_no_record_is_told(server, tmp_path, record):
    server.record = record
    refused("isn't a Zenodo record", fetch, server, tmp_path / "hhds")


def test_no_network_is_told(tmp_path, serve):
    url = "http://127.0.0.1:1"  # nobody listens there
    refused(
        "can't be downloaded .no connection.: check the network.*by hand from",
        *(download_dataset, "hhds", tmp_path / "hhds"),
        base_url=url,
        progress=False,
    )
