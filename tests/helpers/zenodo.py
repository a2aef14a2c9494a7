"""A server on this machine that acts as Zenodo."""

import hashlib
import json
import zipfile

from hiphopss.datasets.fetch import download
from hiphopss.datasets.fetch.dataset import download_dataset

CHUNK = download._CHUNK  # only whole chunks are kept


def zip_folder(folder, path, top=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{top}{file.relative_to(folder)}")


class Server:
    """Acts as Zenodo; what it does wrong is set by a test."""

    def __init__(self, files):
        self.files = files
        self.record = {"files": [self._item(name, content) for name, content in files.items()]}
        self.ranges = True
        self.cuts = []  # bytes after which the connection breaks, one a download
        self.shift = 0  # of the ranges that it sends
        self.status = 200
        self.asked = []  # path and Range header of each request
        self.url = None

    def _item(self, name, content):
        checksum = f"md5:{hashlib.md5(content).hexdigest()}"
        return {"key": name, "size": len(content), "checksum": checksum, "links": {"self": name}}

    def of_files(self):
        return [part for path, part in self.asked if "/files/" in path]

    def answer(self, handler):
        wanted = handler.headers.get("Range")
        self.asked.append((handler.path, wanted))
        if handler.path.startswith("/api/records/"):
            return self._send(handler, 200, self._record())
        if self.status != 200:
            return self._send(handler, self.status, b"")
        content = self.files[handler.path.removesuffix("?download=1").rpartition("/")[2]]
        if not (wanted and self.ranges):
            return self._send(handler, 200, content)
        start = self.shift + int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            return self._send(handler, 416, b"")
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._send(handler, 206, content[start:], ("Content-Range", span))

    def _record(self):
        if isinstance(self.record, bytes):
            return self.record
        items = [dict(item) for item in self.record["files"]]
        for item in items:
            if "links" in item:
                item["links"] = {"self": f"{self.url}/files/{item['links']['self']}"}
        return json.dumps({"files": items}).encode()

    def _send(self, handler, status, content, *headers):
        handler.send_response(status)
        for name, value in (("Content-Length", str(len(content))), *headers):
            handler.send_header(name, value)
        handler.end_headers()
        cut = self.cuts.pop(0) if self.cuts and "/files/" in handler.path else len(content)
        handler.wfile.write(content[:cut])
        handler.close_connection = True


def fetch(server, folder, **options):
    return download_dataset("hhds", folder, base_url=server.url, progress=False, **options)
