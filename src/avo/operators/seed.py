"""Warning about an edited seed of the scenario."""

from __future__ import annotations

import sys

from avo.run import seed_edited
from avo.settings import printable
from avo.tools.workspace import Workspace


def warn_of_seed(workspace: Workspace) -> None:
    """Print a warning on standard error if the seed was edited since the run began: the run does not use the edits."""
    if line := seed_edited(workspace) if workspace.lineage.versions() else "":
        print(f"avo: {printable(line)}", file=sys.stderr)
