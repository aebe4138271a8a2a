"""`avo lineage checkout`: the sources of a version in a folder of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avo.cli.options import AsJson, RunFolder, latest_run, output, print_json
from avo.run import existing
from avo.scenarios.abi import HEADER
from avo.tools.build.sources import write_sources
from avo.tools.origin import sources_of
from avo.types import AvoError


def checkout(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="v0 (the seed), v1, … or best; seed-from: what was brought in.")
    ],
    to: Annotated[Path | None, output("Folder, new or empty [default: ./VERSION].")] = None,
    run: RunFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write the sources of a version into a folder, to read, to edit, or to measure by name."""
    journal, lineage = existing(run or latest_run())
    name, files = sources_of(journal, lineage, version)
    journal.close()
    folder = to or Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AvoError(f"{folder} is there and not empty: name another with --output DIR")
    abi = lineage.folder / HEADER  # the same in every version; compilers and editors look for it
    write_sources({**files} | ({HEADER: abi.read_bytes()} if abi.is_file() else {}), folder)
    if as_json:
        print_json({"version": name, "folder": str(folder), "files": list(files)})
    else:
        print(f"{name} in {folder}: {', '.join(files)}")
