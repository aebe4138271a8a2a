"""The scenario's seed: whether it is still the one that a run began with."""

from __future__ import annotations

import sys

from avo.run import seed_edited
from avo.settings import printable
from avo.tools.workspace import Workspace


def warn_of_seed(workspace: Workspace) -> None:
    """Say on standard error when the seed was edited since the run began: it is easily taken for what is improved."""
    if line := seed_edited(workspace) if workspace.lineage.versions() else "":
        print(f"avo: {printable(line)}", file=sys.stderr)
