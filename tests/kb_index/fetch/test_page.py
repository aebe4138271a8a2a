"""Web pages as sources, from a real server: kept, asked for again, limited, and one line when they are broken."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from avo.kb_index.fetch.fetch import Reach, Unreachable, fetch
from avo.kb_index.fetch.sources import Source

Make = Callable[..., Source]
HTML = "text/html; charset=utf-8"


@dataclass
class Site:
    """What the server answers, by path, and what it was asked."""

    address: str = ""
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Path and status, in order."""

    def page(self, path: str, body: str) -> None:
        self.answers[path] = (200, {"Content-Type": HTML}, body.encode())

    def moved(self, path: str, to: str) -> None:
        self.answers[path] = (302, {"Location": to}, b"")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = found.answers.get(self.path, (404, {"Content-Type": HTML}, b"<p>none"))
            found.asked.append((self.path, status))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    found.address = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def texts(source: Source, reach: Reach) -> dict[str, bytes]:
    return {document.path: document.content for document in fetch(source, reach).documents(source)}


def refusal(source: Source, reach: Reach) -> str:
    with pytest.raises(Unreachable) as caught:
        fetch(source, reach)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- one page ----------------------------------------------------------------------------------


def test_a_page_is_kept_and_not_asked_for_again_by_a_build(site: Site, make: Make, reach: Reach) -> None:
    site.page("/isa/index.html", "<title>1. Introduction — PTX ISA 9.1 documentation</title><p>one")
    source = make("url", url=f"{site.address}/isa/index.html")
    fetched = fetch(source, reach)
    document = fetched.documents(source)[0]
    assert (document.path, document.parser, document.url) == (
        "isa/index.html", "html", f"{site.address}/isa/index.html",
    )  # fmt: skip
    assert fetched.version == "9.1"
    assert texts(source, reach) == texts(source, replace(reach, offline=True)) == {"isa/index.html": document.content}
    assert site.asked == [("/isa/index.html", 200)]


def test_an_update_fetches_the_page_again(site: Site, make: Make, reach: Reach) -> None:
    site.page("/a.html", "<p>one")
    source = make("url", url=f"{site.address}/a.html")
    assert texts(source, reach) == {"a.html": b"<p>one"}
    site.page("/a.html", "<p>two")
    assert texts(source, reach) == {"a.html": b"<p>one"}
    assert texts(source, replace(reach, ask=True)) == {"a.html": b"<p>two"}


def test_a_page_without_a_number_in_its_title_has_the_day_it_was_fetched(site: Site, make: Make, reach: Reach) -> None:
    site.page("/a.html", "<title>1.1. Notes</title>")
    version = fetch(make("url", url=f"{site.address}/a.html"), reach).version
    assert version == datetime.now(UTC).date().isoformat()


def test_a_pdf_is_a_pdf_whatever_its_name(site: Site, make: Make, reach: Reach) -> None:
    site.answers["/guide"] = (200, {"Content-Type": "application/pdf"}, b"%PDF-1.4\0")
    document = fetch(source := make("url", url=f"{site.address}/guide"), reach).documents(source)[0]
    assert (document.path, document.parser) == ("guide.pdf", "pdf")


@pytest.mark.parametrize(
    ("headers", "body", "complaint"),
    [
        ({"Content-Type": "application/octet-stream"}, b"<p>", "is application/octet-stream, not a page or a PDF"),
        ({"Content-Type": "application/json"}, b"{}", "is application/json, not a page or a PDF"),
        ({"Content-Type": HTML, "Content-Encoding": "gzip"}, b"\x1f\x8b", "comes compressed"),
        ({"Content-Type": HTML, "Content-Length": "50"}, b"<p>broken", "received 9 bytes, expected 50"),
    ],
)
def test_what_is_not_a_whole_page_is_one_line(
    site: Site, make: Make, reach: Reach, headers: dict[str, str], body: bytes, complaint: str
) -> None:
    site.answers["/a.html"] = (200, headers, body)
    said = refusal(make("url", url=f"{site.address}/a.html"), reach)
    assert complaint in said
    assert f"{site.address}/a.html" in said
    assert not [*reach.cache.rglob("*.*")]


def test_a_page_that_is_not_there_is_one_line(site: Site, make: Make, reach: Reach) -> None:
    assert "/a.html: HTTP 404 Not Found" in refusal(make("url", url=f"{site.address}/a.html"), reach)


def test_a_page_that_is_too_big_is_not_read_to_its_end(
    site: Site, make: Make, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avo.kb_index.fetch.page.LARGEST_PAGE", 1 << 20)
    site.page("/a.html", "<p>" + "x" * (3 << 20))
    assert "is larger than 1 MB" in refusal(make("url", url=f"{site.address}/a.html"), reach)


def test_a_page_that_never_ends_is_given_up(
    make: Make, reach: Reach, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
                try:
                    while True:
                        connection.sendall(b"<")
                        time.sleep(0.02)
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.html"
        assert "took too long" in refusal(make("url", url=url), replace(reach, seconds=0.3))
        thread.join()


def test_a_silent_host_is_given_up(make: Make, reach: Reach, monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    monkeypatch.setattr("avo.kb_index.fetch.page.SILENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.html"
        assert refusal(make("url", url=url), reach).startswith(url)


def test_a_dead_host_is_one_line_and_a_kept_page_does_instead(
    site: Site, make: Make, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.page("/a.html", "<p>one")
    source = make("url", url=f"{site.address}/a.html")
    fetch(source, reach)
    site.answers.clear()
    again = fetch(source, replace(reach, ask=True))
    assert "the copy in the cache had to do" in again.note
    assert [document.content for document in again.documents(source)] == [b"<p>one"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}/a.html"
    assert "Connection refused" in refusal(make("url", url=closed), reach)


def test_offline_nothing_is_asked_for(site: Site, make: Make, reach: Reach) -> None:
    site.page("/a.html", "<p>one")
    assert "nothing is fetched offline" in refusal(
        make("url", url=f"{site.address}/a.html"), replace(reach, offline=True, ask=True)
    )
    assert not site.asked


def test_a_redirect_to_a_file_is_refused(site: Site, make: Make, reach: Reach, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>secret")
    site.moved("/a.html", (tmp_path / "a.html").as_uri())
    assert "unsupported protocol" in refusal(make("url", url=f"{site.address}/a.html"), reach)


def test_a_redirect_of_one_page_is_followed(site: Site, make: Make, reach: Reach) -> None:
    site.moved("/a.html", "/new/a.html")
    site.page("/new/a.html", "<p>one")
    assert texts(make("url", url=f"{site.address}/a.html"), reach) == {"a.html": b"<p>one"}


def test_redirects_that_never_end_are_given_up(site: Site, make: Make, reach: Reach) -> None:
    site.moved("/a.html", "/a.html")
    assert "redirects" in refusal(make("url", url=f"{site.address}/a.html"), reach)
    assert len(site.asked) == 11


def test_a_redirect_that_leads_nowhere_is_one_line(site: Site, make: Make, reach: Reach) -> None:
    site.moved("/a.html", "http://[broken/")
    assert "/a.html" in refusal(make("url", url=f"{site.address}/a.html"), reach)
    site.answers["/a.html"] = (302, {}, b"")
    assert "HTTP 302 Found" in refusal(make("url", url=f"{site.address}/a.html"), reach)


def test_pages_come_through_a_proxy_where_the_environment_names_one(
    site: Site, make: Make, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy is asked for the whole address."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", site.address)
    url = "http://docs.invalid/guide/a.html"
    site.page(url, "<p>through the proxy")
    assert texts(make("url", url=url), reach) == {"guide/a.html": b"<p>through the proxy"}
    monkeypatch.setenv("no_proxy", "docs.invalid")
    assert "docs.invalid" in refusal(make("url", url="http://docs.invalid/b.html"), reach)
    assert site.asked == [(url, 200)]
