"""The lineage: every kept version as one git commit and tag, and the work tree that agents edit."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avo.settings import CHILD_ENVIRONMENT, printable
from avo.types import AvoError, Missing, Unknown, Verdict, Version, verdict_from

try:
    from git import Blob, Git, Repo, Tree
except ImportError as error:
    raise Missing("avo needs git; on Debian: apt-get install git") from error
from git.exc import CommandError, GitCommandError, GitCommandNotFound, InvalidGitRepositoryError

SCORE_FILE = "score.json"
"""File of a commit with the verdict as JSON."""
ADDED = (SCORE_FILE, "avo_abi.h")
"""Files of a commit that avo adds: no part of the candidate."""
ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "avo", "GIT_AUTHOR_EMAIL": "avo@localhost",
    "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "core.fsync", "GIT_CONFIG_VALUE_1": "all",
    "GIT_COMMITTER_NAME": "avo", "GIT_COMMITTER_EMAIL": "avo@localhost",
}  # fmt: skip
"""Environment of git that disables the user's own settings (hooks, signing, filters)."""
NEEDED = (*CHILD_ENVIRONMENT, "HOME", "TMPDIR", "LANGUAGE", "LD_LIBRARY_PATH")
"""Variables that git inherits."""
LONGEST_MESSAGE = 10_000
"""Longest commit message, and longest trailer, in characters."""
LARGEST_FILE = 16 << 20
"""Largest file of an imported version, in bytes."""
MOST_FILES = 100
"""Largest number of files of an imported version."""
FETCHING = (
    "fetch.fsckObjects=true", "fetch.unpackLimit=1", "gc.auto=0", "core.bigFileThreshold=32m",
    "protocol.allow=never", "protocol.file.allow=always",
)  # fmt: skip
"""Settings of a fetch: objects from elsewhere are checked, stay packed, and come from a file."""
TRAILER = re.compile(r"^Avo-([A-Za-z-]+): (.*)$", re.MULTILINE)
"""A trailer of a commit message: key and value."""
CLOCKS = re.compile(r", \d+ MHz, \d+ W, \d+ °C$")
"""Suffix that earlier versions of avo appended to the name of a GPU."""


class Lineage:
    """A git repository: branch main, tags v0 (the seed), v1, …; HEAD is always the best version."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        """Open the repository, or create it. Raises AvoError if there is none and `create` is False."""
        self.folder = folder
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            del os.environ[name]  # another repository's, when avo is started from a hook or an alias
        if create:
            folder.mkdir(parents=True, exist_ok=True)
            git = Git(folder)
            git.update_environment(**_environment())
            # By git itself: `Repo.init` refuses `template` as unsafe.
            git.init("--quiet", "--initial-branch=main", "--template=")
        try:
            self._repo = Repo(folder)
        except (InvalidGitRepositoryError, OSError, GitCommandError) as error:
            raise AvoError(f"no lineage in {folder}") from error
        self._repo.git.update_environment(**_environment())
        self._head = ""
        self._versions: list[Version] = []
        self._facts: dict[str, dict[str, str]] = {}

    def repair(self) -> None:
        """Clean up after a killed process: remove locks, set missing tags. Only for the process that holds the run."""
        for lock in Path(self._repo.git_dir).rglob("*.lock"):
            lock.unlink()
        self._repo.git.symbolic_ref("HEAD", "refs/heads/main")
        for version in self.versions():
            if version.name not in self._repo.tags:
                self._repo.git.tag(version.name, version.commit, "--")

    def head(self) -> str:
        """Return main's commit; empty without one."""
        return str(self._repo.heads["main"].commit.hexsha) if "main" in self._repo.heads else ""

    def versions(self) -> list[Version]:
        """Return all versions, the seed first, from the trailers of main's commits; cached by HEAD."""
        head = self.head()
        if head != self._head:
            log = self._log("--reverse", "--format=%H%x00%cI%x00%B%x1e") if head else ""
            entries = [entry for entry in log.split("\x1e") if "\n\nAvo-Version: " in entry]  # others are not avo's
            self._versions = [_version(entry) for entry in entries]
            self._facts = {facts["Version"]: facts for facts in map(dict, map(TRAILER.findall, entries))}
            self._head = head
        return list(self._versions)

    def version(self, name: str) -> Version:
        """Return a version by name (v3), as `best` (the last that improved), or by a commit's first digits.

        Raises Unknown.
        """
        versions = self.versions()
        if name == "best" and versions:
            return self.champion()
        for version in versions:
            if version.name == name or (len(name) >= 6 and version.commit.startswith(name)):
                return version
        span = f"v0 to {versions[-1].name}" if versions else "none yet"
        raise Unknown(f"no version '{name}'; there are: {span}")

    def best(self) -> Version:
        """Return the latest version: each one matched or improved the best before it. Raises AvoError without one."""
        versions = self.versions()
        if not versions:
            raise AvoError(f"the lineage in {self.folder} has no version yet")
        return versions[-1]

    def champion(self) -> Version:
        """Return the last version that improved: the gate compares with it, so that matches cannot drift down."""
        return next(version for version in reversed(self.versions()) if version.improved)

    def facts(self, version: Version) -> dict[str, str]:
        """Return a version's trailers: Device (on which it was measured), Target, Direction, Attempts, Gain, …"""
        self.versions()
        return {key: CLOCKS.sub("", value) for key, value in self._facts[version.name].items()}

    def verdict(self, version: Version) -> Verdict:
        """Return the verdict stored with a version. Raises AvoError if it is damaged."""
        try:
            return verdict_from(json.loads((self._repo.commit(version.commit).tree / SCORE_FILE).data_stream.read()))
        except (LookupError, TypeError, ValueError) as error:
            raise AvoError(f"{version.name} has no {SCORE_FILE} that can be read") from error

    def files(self, version: Version) -> dict[str, bytes]:
        """Return a version's sources (path -> content), without the files that avo adds."""
        tree = self._repo.commit(version.commit).tree
        return {name: blob for name, blob in _blobs(tree) if name not in ADDED}

    def commit(
        self, files: Mapping[str, bytes], added: Mapping[str, bytes], tree: str, verdict: Verdict, message: str,
        *, gain: tuple[float, float, float] = (1.0, 1.0, 1.0), improved: bool = True, trailers: Mapping[str, str],
    ) -> Version:  # fmt: skip
        """Commit a version (sources, `added` files and score.json), then tag it.

        gain: ratio to the champion, with the ends of its interval. tree: digest of the sources.
        The branch moves in one step, so a killed process leaves the version complete or absent. Raises Missing.
        """
        name = f"v{len(self.versions())}"
        facts = {
            "Version": name, "Tree": tree, "Score": f"{verdict.score:.6g} {verdict.unit}",
            "Scores": json.dumps({case: float(f"{value:.6g}") for case, value in verdict.scores.items()}),
            "Gain": "{:.5f} [{:.5f}, {:.5f}]".format(*gain), "Improved": "yes" if improved else "no",
            "Device": verdict.device, "Rules": verdict.rules, **trailers,
        }  # fmt: skip
        score = json.dumps(verdict.as_dict(), indent=1).encode()
        with self._blamed():
            commit = self._committed({**files, **added, SCORE_FILE: score}, _message(message, facts))
            self._repo.git.tag("-f", name, commit)
        return self.versions()[-1]

    def restore(self, version: Version | None = None) -> None:
        """Make the work tree exactly that version (default: the best), and remove everything else from it."""
        commit = self._repo.commit((version or self.best()).commit)
        for path in self.folder.iterdir():
            if path.name == ".git":
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        for name, content in _blobs(commit.tree):
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        with self._blamed():
            self._repo.git.read_tree("HEAD")

    def restored(self, version: Version) -> bool:
        """Return True if the work tree was made from that version, even if it was edited since."""
        path = self.folder / SCORE_FILE
        blob = self._repo.commit(version.commit).tree / SCORE_FILE
        return path.is_file() and path.read_bytes() == blob.data_stream.read()

    def bundle(self, file: Path) -> None:
        """Write all versions to one file that git can fetch from."""
        self._repo.git.bundle("create", "--quiet", file.resolve(), "refs/heads/main")

    def take(self, source: Path) -> None:
        """Fast-forward main to that of a bundle or of another lineage; tags are set by `repair`.

        Raises AvoError, with main unchanged, if the source is damaged or does not continue this lineage.
        """
        try:
            self._repo.git(c=list(FETCHING)).fetch(
                "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--update-head-ok",
                source.resolve(), "refs/heads/main:refs/heads/main",
            )  # fmt: skip
        except GitCommandError as error:
            problem = " ".join(error.stderr.removeprefix("\n  stderr: ").split())[:200]
            raise AvoError(f"the versions cannot be taken from {source.name}: {problem}") from error

    def check(self) -> None:
        """Raise AvoError unless main is what `commit` writes: a linear history of versions with small, plain files."""
        history = str(self._repo.git.rev_list("--parents", "--reverse", "refs/heads/main", "--")).splitlines()
        try:
            versions = self.versions()
        except (LookupError, TypeError, ValueError) as error:
            raise AvoError("a version's trailers cannot be read") from error
        if [version.name for version in versions] != [f"v{number}" for number in range(len(history))]:
            raise AvoError("its commits are not v0, v1, … one after the other")
        if any(len(line.split()) > 2 for line in history) or not versions[0].improved:
            raise AvoError("they do not follow one on the other")
        for version in versions:
            entries = str(self._repo.git.ls_tree("-r", "-l", "-z", version.commit)).split("\0")[:-1]
            if len(entries) > MOST_FILES:
                raise AvoError(f"{version.name} has {len(entries)} files")
            for mode, _, _, size in (entry.partition("\t")[0].split() for entry in entries):
                if mode != "100644" or int(size) > LARGEST_FILE:
                    raise AvoError(f"{version.name} has a file that is not plain, or larger than {LARGEST_FILE} bytes")
            verdict = self.verdict(version)
            if {*verdict.scores} != {*version.scores} or not math.isfinite(version.score * version.gain):
                raise AvoError(f"the scores of {version.name} are not those of its {SCORE_FILE}")

    def diff(self, first: Version, second: Version) -> str:
        """Return the unified diff of two versions' sources."""
        hidden = [f":(exclude){name}" for name in ADDED]
        return str(
            self._repo.git.diff("--no-ext-diff", "--no-textconv", first.commit, second.commit, "--", ".", *hidden)
        )

    def _log(self, *options: str) -> str:
        try:
            with self._blamed(GitCommandNotFound):
                return str(self._repo.git.log(*options, "refs/heads/main", "--"))
        except GitCommandError as error:
            raise AvoError(f"the lineage in {self.folder} cannot be read: {error.stderr.strip()}") from error

    @contextmanager
    def _blamed(self, kind: type[CommandError] = CommandError) -> Iterator[None]:
        """Raise Missing where git is gone or cannot write (a full disk, for instance): the machine is at fault."""
        try:
            yield
        except kind as error:
            told = " ".join(str(error.stderr or error).split()).removeprefix("stderr: ").strip("'")[:500]
            raise Missing(f"the lineage in {self.folder} cannot be written: {told}") from error

    def _committed(self, files: Mapping[str, bytes], message: str) -> str:
        """Write blobs, tree and commit through a separate index, then move main; return the commit."""
        index = Path(self._repo.git_dir) / "avo-index"
        index.unlink(missing_ok=True)
        entries = []
        for name, content in files.items():
            blob = self._stored(content)
            entries.append(f"100644 {blob}\t{name}\0")
        # `istream` has to be a real file: GitPython hands it to git as it is.
        with self._repo.git.custom_environment(GIT_INDEX_FILE=str(index)), tempfile.TemporaryFile() as listing:
            listing.write("".join(entries).encode())
            listing.seek(0)
            self._repo.git.update_index("-z", "--index-info", istream=listing)
            tree = self._repo.git.write_tree()
        index.unlink(missing_ok=True)
        parent = self.head()
        parents = ("-p", parent) if parent else ()
        with tempfile.NamedTemporaryFile("w", prefix="avo-", suffix=".txt") as file:
            file.write(message)
            file.flush()
            commit = str(self._repo.git.commit_tree(tree, *parents, "-F", file.name))
        self._repo.git.update_ref("refs/heads/main", commit, parent or "0" * 40)
        return commit

    def _stored(self, content: bytes) -> str:
        """Write a blob to disk and return its name: git waits for the disk, GitPython's own writer does not."""
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            return str(self._repo.git.hash_object("-w", "--stdin", istream=file))


def _environment() -> dict[str, str]:
    """Return git's environment. GitPython passes everything on, so other variables are emptied: no key leaks."""
    emptied = {name: "" for name in os.environ if name not in NEEDED}
    return emptied | ENVIRONMENT


def _blobs(tree: Tree) -> list[tuple[str, bytes]]:
    """Return path and content of every file, sorted by path."""
    blobs = [item for item in tree.traverse() if isinstance(item, Blob)]
    return [(str(blob.path), blob.data_stream.read()) for blob in sorted(blobs, key=lambda blob: str(blob.path))]


def _message(text: str, facts: Mapping[str, str]) -> str:
    """Return the commit message: the agent's text, then the trailers, which only this function writes."""
    written = TRAILER.sub(r"(Avo-\1: \2)", printable(text)[:LONGEST_MESSAGE].strip() or "(no message)")
    lines = [f"Avo-{key}: {' '.join(printable(value)[:LONGEST_MESSAGE].split())}" for key, value in facts.items()]
    return written + "\n\n" + "\n".join(lines) + "\n"


def _version(entry: str) -> Version:
    commit, at, body = entry.lstrip("\n").split("\x00", 2)
    text, _, _ = body.partition("\n\nAvo-Version: ")
    facts: dict[str, Any] = dict(TRAILER.findall(body))
    score, _, unit = facts["Score"].partition(" ")
    return Version(
        name=facts["Version"], commit=commit, tree=facts["Tree"], score=float(score), unit=unit,
        scores=json.loads(facts["Scores"]), gain=float(facts["Gain"].split()[0]),
        improved=facts["Improved"] == "yes", message=text.strip(), at=at,
    )  # fmt: skip
