"""The list of tools, in the order in which a model reads them."""

from __future__ import annotations

from avo.tools import commit, evaluate, files, history, knowledge, plan, profile, recall, sanitize, shell
from avo.tools.registry import Registry, tool
from avo.tools.workspace import Workspace

READING = (
    files.read_file, history.lineage, history.compare_versions, history.attempts, recall.recall,
    knowledge.kb_search, knowledge.kb_read,
)  # fmt: skip
"""Tools that only read."""
CHANGING = (
    files.write_file, files.edit_file, shell.shell, evaluate.build, evaluate.evaluate,
    evaluate.sweep, profile.profile, sanitize.sanitize, commit.commit, history.checkout, history.note, plan.plan,
    history.end_step,
)  # fmt: skip
"""Tools that change the work tree or the journal, or use the device."""


def registry(workspace: Workspace) -> Registry:
    """Return a registry of all tools over one workspace."""
    tools = [tool(function, changes=False) for function in READING]
    return Registry(workspace, tools + [tool(function, changes=True) for function in CHANGING])
