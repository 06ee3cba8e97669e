"""One running sandbox for all tests of commands; a gateway of canned answers for odd ones."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.gateway.cli.served import Served, serve, stop


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway on SQLite before one simulated Alipay account."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HANGDAO_URL", "HANGDAO_KEY", "HANGDAO_DIR"):
            patch.delenv(name, raising=False)
        running = serve(tmp_path_factory.mktemp("served"))
    try:
        yield running
    finally:
        stop(running)


class Canned:
    """Answers every request with the same bytes, and remembers which keys it was shown."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.status, self.body = 200, b"{}"
        self.hangs_up = False
        self.keys: list[str] = []
        canned = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                canned.keys.append(self.headers.get("Authorization", ""))
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if canned.hangs_up:
                    self.close_connection = True
                    return
                self.send_response(canned.status)
                self.send_header("Content-Length", str(len(canned.body)))
                self.end_headers()
                self.wfile.write(canned.body)

            do_POST = do_GET  # noqa: N815 - as above

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def canned() -> Iterator[Canned]:
    """A stand-in for a gateway that answers oddly."""
    server = Canned()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, so that no sandbox is near."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
