"""Whose fault an error is: the machine's and the file's end a run with its step open, a bug does so the third time."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest
import torch

from avo.faults import Defects, fault_of
from avo.types import AvoError, Defect, Missing, ScenarioError


@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.EAGAIN]
)
def test_a_full_disk_and_its_kind_are_the_machines_fault(code: int) -> None:
    fault = fault_of(OSError(code, "what the system says", "/some/file"))
    assert isinstance(fault, Missing)
    assert "/some/file" in str(fault)


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EINVAL])
def test_what_an_agents_arguments_can_bring_about_is_not(code: int) -> None:
    assert fault_of(OSError(code, "no such thing")) is None


def test_memory_that_torch_or_python_does_not_get_is_the_machines_fault() -> None:
    with pytest.raises(RuntimeError) as full:
        torch.empty(1 << 60)
    assert isinstance(fault_of(full.value), Missing)
    assert isinstance(fault_of(MemoryError()), Missing)
    assert fault_of(RuntimeError("shapes differ")) is None


def test_a_full_and_a_locked_database_are_the_machines_fault_and_a_damaged_one_is_the_files(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    db = sqlite3.connect(path, isolation_level=None, timeout=0)
    db.execute("CREATE TABLE t (x)")
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError) as locked:
        db.execute("INSERT INTO t VALUES (1)")
    other.execute("ROLLBACK")
    db.execute("PRAGMA max_page_count=2")
    with pytest.raises(sqlite3.OperationalError) as full:
        db.execute("INSERT INTO t VALUES (zeroblob(100000))")
    (tmp_path / "y.db").write_text("no database, whatever its name says" * 100)
    with pytest.raises(sqlite3.DatabaseError) as damaged:
        sqlite3.connect(tmp_path / "y.db").execute("SELECT * FROM t")
    with pytest.raises(sqlite3.OperationalError) as bug:
        db.execute("SELECT y FROM t")
    kinds = [type(fault_of(caught.value)) for caught in (locked, full, damaged, bug)]
    assert kinds == [Missing, Missing, AvoError, type(None)]


def test_what_was_raised_on_purpose_stays_what_it_is() -> None:
    error = ScenarioError("reference.py:3: it is wrong")
    assert fault_of(error) is error
    assert fault_of(ValueError("a bug")) is None


def failing(defects: Defects, tool: str, number: int) -> Defect | None:
    try:
        raise ValueError(f"item {number}")
    except ValueError as error:
        return defects.failed(tool, error)


def test_the_same_bug_three_times_in_a_row_is_one_too_many() -> None:
    defects = Defects()
    assert [failing(defects, "build", number) is None for number in range(2)] == [True, True]
    assert failing(defects, "evaluate", 9) is None
    third = failing(defects, "build", 2)
    assert isinstance(third, Defect)
    assert "build failed 3 times in a row" in str(third)


def test_an_answer_in_between_ends_the_count() -> None:
    defects = Defects()
    assert failing(defects, "build", 1) is None
    assert failing(defects, "build", 2) is None
    defects.worked("build")
    assert failing(defects, "build", 3) is None
