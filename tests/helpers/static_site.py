"""A folder, served as any host of static sites would."""

import contextlib
import functools
import http.server
import threading


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files as ``python -m http.server`` does, and says nothing.

    Parameters
    ----------
    scripts : dict, optional
        By name, code in the place of files, which may change at any time. It is for workers of
        workers, whose requests Playwright doesn't show.
    """

    def __init__(self, *arguments, scripts, **options):
        self.scripts = scripts
        super().__init__(*arguments, **options)

    def do_GET(self):
        if (code := (self.scripts or {}).get(self.path.removeprefix("/"))) is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.end_headers()
        self.wfile.write(code.encode())

    def end_headers(self):
        if self.scripts is not None:
            self.send_header("Cache-Control", "no-cache")  # what is there now counts
        super().end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(folder, scripts=None):
    """Serve a folder, with scripts in the place of some of its own; gives its address."""
    handler = functools.partial(QuietHandler, directory=folder, scripts=scripts)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}/"
        site.shutdown()
