"""One web page: asked for with its ETag, limited in size, kind and time, and kept."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avo.kb_index.fetch import Reach, Unreachable, replace

KINDS = ("text/html", "application/xhtml+xml", "application/pdf")
SILENCE = 30.0
"""Seconds without a byte."""
PIECE = 1 << 16


@dataclass(frozen=True)
class Page:
    """A page in the cache."""

    url: str
    """Where it was found in the end."""
    kind: str
    """text/html, application/xhtml+xml or application/pdf."""
    sha256: str
    size: int
    etag: str
    modified: str
    """Last-Modified, as the server wrote it."""
    at: float
    """When it was fetched, seconds since 1970."""
    file: str
    note: str = ""
    fetched: bool = False
    """Whether the network was used just now."""

    def content(self) -> bytes:
        return Path(self.file).read_bytes()


def get(address: str, reach: Reach, largest: int, prefix: str = "") -> Page:
    """The page, from the cache unless it is to be asked for again. Raises Unreachable.

    With a prefix, a redirect that leads out of it is refused.
    """
    base = reach.cache / "url" / hashlib.sha256(address.encode()).hexdigest()[:24]
    kept = _kept(base)
    if kept and (reach.offline or not reach.ask):
        return kept
    if reach.offline:
        raise Unreachable(f"{address} is not in the cache, and nothing is fetched offline")
    try:
        return _download(address, base, kept, largest, prefix, reach.seconds)
    except Unreachable as error:
        if kept:
            return Page(**asdict(kept) | {"note": f"the copy in the cache had to do: {error}"})
        raise


def _kept(base: Path) -> Page | None:
    """What the cache holds, if it is whole."""
    try:
        page = Page(**json.loads(base.with_suffix(".json").read_bytes()), file=str(base.with_suffix(".body")))
        whole = hashlib.sha256(page.content()).hexdigest() == page.sha256
    except (OSError, ValueError, TypeError):
        return None
    return page if whole else None


def _download(address: str, base: Path, kept: Page | None, largest: int, prefix: str, seconds: float) -> Page:
    request = urllib.request.Request(address, headers={"User-Agent": "avo", "Accept": ", ".join(KINDS)})
    if kept and kept.etag:
        request.add_header("If-None-Match", kept.etag)
    if kept and kept.modified:
        request.add_header("If-Modified-Since", kept.modified)
    try:
        with urllib.request.build_opener(_Redirects(prefix)).open(request, timeout=SILENCE) as answer:
            return _keep(answer, base, largest, seconds)
    except urllib.error.HTTPError as error:
        if error.code == 304 and kept:
            return Page(**asdict(kept) | {"fetched": True})
        raise Unreachable(f"{address}: HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise Unreachable(f"{address}: {_reason(error.reason)}") from error
    except (http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"{address}: {str(error) or type(error).__name__}") from error
    except TimeoutError as error:
        raise Unreachable(f"{address}: no byte within {SILENCE:.0f} s") from error
    except OSError as error:
        raise Unreachable(f"{address}: {_reason(error)}") from error


def _reason(error: object) -> str:
    """Without the number of the error."""
    return str(getattr(error, "strerror", None) or error)


def _keep(answer: Any, base: Path, largest: int, seconds: float) -> Page:
    kind = answer.headers.get_content_type()
    if kind not in KINDS:
        raise Unreachable(f"{answer.url} is {kind}, not a page or a PDF")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise Unreachable(f"{answer.url} comes compressed though nobody asked for that")
    content, until = bytearray(), time.monotonic() + seconds
    while piece := answer.read1(PIECE):
        content += piece
        if len(content) > largest:
            raise Unreachable(f"{answer.url} is larger than {largest >> 20} MB")
        if time.monotonic() > until:
            raise Unreachable(f"{answer.url} was not there within {seconds:.0f} s")
    if (length := answer.headers.get("Content-Length", "")).isdecimal() and int(length) != len(content):
        raise Unreachable(f"{answer.url} broke off after {len(content)} of {length} bytes")
    if kind != "application/pdf" and b"<" not in content[:4096]:
        raise Unreachable(f"{answer.url} says it is HTML and is not")
    facts = {
        "url": answer.url, "kind": kind, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content),
        "etag": answer.headers.get("ETag", ""), "modified": answer.headers.get("Last-Modified", ""), "at": time.time(),
    }  # fmt: skip
    replace(base.with_suffix(".body"), bytes(content))
    replace(base.with_suffix(".json"), json.dumps(facts).encode())
    return Page(**facts, file=str(base.with_suffix(".body")), fetched=True)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect, but not from https down to http, and not out of the prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith(self.prefix):
            raise Unreachable(f"{req.full_url} leads away to {newurl}")
        if req.full_url.startswith("https:") and newurl.startswith("http:"):
            raise Unreachable(f"{req.full_url} leads away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
