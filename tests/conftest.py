"""What tests share: a scenario that is scored in half a second, a workspace with its seed planted, a knowledge base."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from warm import Warm

from avo.kb_index.index.chunk import Chunk, Document, Parsed
from avo.kb_index.index.store import Store
from avo.run import open_run, plant_seed
from avo.scenarios.loader import Scenario, load
from avo.tools.build.seeds import seed_sources
from avo.tools.score.executor import LocalExecutor
from avo.tools.workspace import Workspace

TINY = Path(__file__).parent / "tiny"
AVO = (sys.executable, "-c", "from avo.cli import main; main()")

Seed = dict[str, bytes]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Cut = Callable[..., tuple[Document, Parsed]]

PASSAGES = {
    "kernels:hopper/barrier.py": """
def wait_for_copy(mbar_ptr, phase):
    # spins until the bulk copy has landed: mbarrier.try_wait.parity
    return try_wait(mbar_ptr, phase)

def announce_bytes(mbar_ptr, count):
    # tells the barrier how many bytes the tensor map copy will bring
    mbarrier.arrive.expect_tx(mbar_ptr, count)
""",
    "kernels:hopper/product.py": """
def warpgroup_product(a, b):
    # wgmma.mma_async reads both operands from smem through descriptors
    wgmma.fence()
    return wgmma.commit_group()
""",
    "kernels:blackwell/product.py": """
def tensor_memory_product(a, b):
    # tcgen05.mma leaves its accumulator in tmem, one thread issues it
    return tcgen05.mma(a, b)

def read_accumulator(address):
    # tcgen05.ld brings columns of tensor memory into registers
    return tcgen05.ld(address)
""",
    "reference:setmaxnreg.h": """
def setmaxnreg_inc(count):
    # setmaxnreg.inc.sync.aligned.u32 asks for more registers, and waits until the pool has them
    return count
""",
    "lessons:registers.md": """
# Sharing out registers
Producer warps give theirs away with setmaxnreg so that consumers do not spill.
# Rescaling rarely
In an online softmax the accumulator need not be rescaled while the maximum hardly grows.
""",
    "lessons:long.md": "# A table of numbers\n" + "".join(f"row {number} of the table\n" for number in range(1, 901)),
}
"""A knowledge base of a few lines: source and path -> text."""
KINDS = {"kernels": "code", "reference": "instruction", "lessons": "note"}


def pytest_configure() -> None:
    """Children meet Ctrl-C and a closed terminal as from a shell, also where the tests run in the background.

    Each worker has temporary files, and so leases of devices, of its own: else they would wait for each other.
    """
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        folder = Path(tempfile.gettempdir()) / f"avo-tests-{os.getuid()}-{worker}"
        folder.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The red team comes first: with several workers it is what the last one would be waited for."""
    items.sort(key=lambda item: item.path.parent.name != "audit")


@pytest.fixture(scope="session", autouse=True)
def own_cache(pytestconfig: pytest.Config) -> None:
    """What is compiled here is kept apart from the user's cache, and found again by the next run of the tests."""
    os.environ["AVO_CACHE"] = str(pytestconfig.rootpath / ".pytest_cache" / "avo")


@pytest.fixture(scope="session")
def core_kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base from the real packages and our notes.

    Where the package index cannot be reached, its tests are left out, unless AVO_TEST_ONLINE says that it has to be.
    """
    from avo.kb_index.build import build
    from avo.kb_index.fetch.sources import load as load_sources

    folder = tmp_path_factory.mktemp("kb")
    names = ("fa4", "cuda-ptx", "nvvm-ops", "avo-notes")
    report = build(folder, load_sources(), only=names, report=lambda line: None)
    if report.lacking and not os.environ.get("AVO_TEST_ONLINE"):
        pytest.skip(f"cannot be downloaded here: {', '.join(report.lacking)}")
    assert not report.lacking
    return folder


@pytest.fixture(scope="session")
def tiny() -> Scenario:
    """The scenario of tests/tiny."""
    return load(str(TINY))


@pytest.fixture(scope="session")
def executor(tiny: Scenario) -> LocalExecutor:
    return LocalExecutor(tiny, "cpu")


@pytest.fixture(scope="session")
def seed(tiny: Scenario) -> Seed:
    """The seed's sources."""
    return seed_sources(tiny, "cpu")


@pytest.fixture
def own_scenario(tmp_path: Path) -> Path:
    """A copy of tests/tiny that a test may change."""
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


@pytest.fixture(scope="session")
def planted_run(tmp_path_factory: pytest.TempPathFactory, tiny: Scenario) -> Path:
    """A run directory with the seed as v0, to copy from."""
    folder = tmp_path_factory.mktemp("planted") / "run"
    with open_run(folder, tiny, "cpu", "tuner") as workspace:
        asyncio.run(plant_seed(workspace))
    return folder


@pytest.fixture
def workspace(tmp_path: Path, planted_run: Path, tiny: Scenario, executor: LocalExecutor) -> Iterator[Workspace]:
    """A workspace of its own for a test, the seed scored and committed; step 1 is open."""
    folder = shutil.copytree(planted_run, tmp_path / "run")
    with open_run(folder, tiny, "cpu", "tuner") as opened:
        opened.executor = executor
        opened.step, _ = opened.journal.open_step("v0")
        yield opened


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Starts commands without a wait for their libraries."""
    with contextlib.closing(Warm()) as started:
        yield started


@pytest.fixture
def cli(tmp_path: Path, warm: Warm) -> Cli:
    """Runs `avo …` as a user would, in tmp_path."""

    def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        words, variables = [*map(str, arguments)], os.environ | environment
        if warm.serves(variables):
            return warm.run(words, tmp_path, variables)
        return subprocess.run([*AVO, *words], capture_output=True, text=True, check=False, cwd=tmp_path, env=variables)

    return call


def with_change(files: Seed, old: str, new: str) -> Seed:
    """The same sources with one text replaced, which must be there."""
    changed: dict[str, Any] = {name: content.replace(old.encode(), new.encode()) for name, content in files.items()}
    assert changed != files, f"{old!r} is not in the sources"
    return changed


@pytest.fixture(scope="session")
def cut() -> Cut:
    """Makes a document and its chunks of a text: one a function or heading, tagged by the path."""

    def make(name: str, text: str, **facts: str) -> tuple[Document, Parsed]:
        source, _, path = name.partition(":")
        lines = text.removeprefix("\n").splitlines()
        starts = [at for at, line in enumerate(lines) if re.match(r"def |# ", line)]
        arch = ("sm_90",) if "hopper" in path else ("sm_100",) if "blackwell" in path else ("any",)
        chunks = []
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            title = lines[start].removeprefix("def ").removeprefix("# ")
            symbol = title.partition("(")[0] if lines[start].startswith("def") else ""
            body = "\n".join(lines[start:end])[:1600]
            whole = (start + 1, end) if symbol else (0, 0)
            chunks.append(Chunk(start + 1, end, title, body, KINDS.get(source, "code"), symbol, whole, arch))
        document = Document(source, path, text.encode(), "text", **facts)
        return document, Parsed("\n".join(lines) + "\n", tuple(chunks))

    return make


@pytest.fixture(scope="session")
def knowledge_base(tmp_path_factory: pytest.TempPathFactory, cut: Cut) -> Path:
    """The folder of a knowledge base made of PASSAGES, as AVO_KB names it. Nobody writes to it."""
    folder = tmp_path_factory.mktemp("knowledge")
    store = Store.create(folder / "store-1")
    for name, text in PASSAGES.items():
        store.put(*cut(name, text))
    for source in KINDS:
        store.record(source, {"version": "2.5", "licence": "Apache-2.0"})
    store.finish()
    store.close()
    (folder / "current").symlink_to("store-1")
    return folder


@pytest.fixture
def store(knowledge_base: Path) -> Iterator[Store]:
    """It, open to read."""
    with Store.open(knowledge_base / "current") as opened:
        yield opened
