"""A folder, served as any host of static sites would."""

import contextlib
import functools
import http.server
import threading


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files as ``python -m http.server`` does, and says nothing."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(folder):
    """Serve a folder; gives its address."""
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}/"
        site.shutdown()
