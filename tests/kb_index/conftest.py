"""What the knowledge base's tests share: wheels made by hand, sources, and a place that keeps what is fetched."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from avo.kb_index.fetch.fetch import Reach
from avo.kb_index.fetch.sources import Source, read

Wheel = Callable[..., Path]
Make = Callable[..., Source]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that pip finds packages in."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def wheel(index: Path) -> Wheel:
    """Puts a wheel with these files where pip finds it."""

    def make(files: Mapping[str, bytes | str], package: str = "tiny", version: str = "1.0") -> Path:
        info, path = f"{package}-{version}.dist-info", index / f"{package}-{version}-py3-none-any.whl"
        facts = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
            archive.writestr(f"{info}/METADATA", facts)
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return path

    return make


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A source of some kind, as sources.toml would give it."""

    def source(kind: str, name: str = "a", **keys: Any) -> Source:
        file = tmp_path / "made.toml"
        table = {"name": name, "type": kind, "licence": "MIT", **keys}
        file.write_text("[[source]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in table.items()))
        return read(file)[0]

    return source


@pytest.fixture
def reach(tmp_path: Path) -> Reach:
    return Reach(tmp_path / "cache", seconds=60.0)


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{ " + ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items()) + " }"
        case Path():
            return repr(str(value))
    return repr(value)
