"""reference.py as a module: dataclasses, helpers beside it, one line for whatever goes wrong, and no trace outside."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from avo.scenarios.layers import sources
from avo.scenarios.loader import load
from avo.types import ScenarioError

HEAD = "from __future__ import annotations\n"


def add(place: Path, text: str) -> None:
    """Lines at the beginning of reference.py."""
    file = place / "reference.py"
    file.write_text(HEAD + text + file.read_text())


def test_a_dataclass_in_the_reference_or_in_a_helper_is_one_and_can_be_pickled(own_scenario: Path) -> None:
    add(
        own_scenario,
        "from dataclasses import dataclass\nfrom shapes import Spread\n@dataclass\nclass Own:\n    x: int = 3\n",
    )
    (own_scenario / "shapes.py").write_text(
        HEAD + "from dataclasses import dataclass\n@dataclass\nclass Spread:\n    factor: float = 2.0\n"
    )
    module: Any = load(str(own_scenario)).reference
    for made in (module.Own(), module.Spread()):
        assert pickle.loads(pickle.dumps(made)) == made


def test_helpers_are_imported_in_every_way_and_belong_to_their_scenario(own_scenario: Path, tmp_path: Path) -> None:
    add(own_scenario, "import helper\nimport parts.deep as deep\nfrom . import helper as same\n"
        "from parts import deep as again\n"
        "def late():\n    from parts.deep import later\n    return later()\n")  # fmt: skip
    (own_scenario / "helper.py").write_text("import torch\nNAME = 'one'\n")
    (own_scenario / "parts").mkdir()
    (own_scenario / "parts" / "__init__.py").write_text("")
    (own_scenario / "parts" / "deep.py").write_text("from helper import NAME\nfrom .. import helper\n"
        "def later():\n    return NAME, helper.NAME\n")  # fmt: skip
    other = tmp_path / "other" / "tiny"
    other.mkdir(parents=True)
    for file in ("scenario.toml", "reference.py"):
        (other / file).write_bytes((own_scenario / file).read_bytes())
    (other / "reference.py").write_text("import helper\n")
    (other / "helper.py").write_text("NAME = 'two'\n")
    module: Any = load(str(own_scenario)).reference
    theirs: Any = load(str(other)).reference
    assert (module.helper.NAME, module.same is module.helper, module.again is module.deep) == ("one", True, True)
    assert theirs.helper.NAME == "two"
    assert module.late() == ("one", "one")
    (own_scenario / "helper.py").write_text("import torch\nNAME = 'new'\n")  # as long as before, within the same second
    assert load(str(own_scenario)).reference.helper.NAME == "new"
    assert not list(own_scenario.rglob("__pycache__"))


def test_the_digest_covers_helpers_and_what_they_import(own_scenario: Path) -> None:
    add(own_scenario, "def late():\n    from .helper import x\n")
    (own_scenario / "helper.py").write_text("import parts.deep\nx = 1\n")
    (own_scenario / "parts").mkdir()
    deep = own_scenario / "parts" / "deep.py"
    deep.write_text("from ..helper import x\n")
    (own_scenario / "unused.py").write_text("")
    found = [path.relative_to(own_scenario).as_posix() for path in sources(own_scenario / "reference.py")]
    assert sorted(found) == ["helper.py", "parts/deep.py", "reference.py"]
    before = load(str(own_scenario)).digest
    deep.write_text("from ..helper import x  # another\n")
    assert load(str(own_scenario)).digest != before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1 / 0\n", "reference.py:2: cannot be imported: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", "reference.py:3: cannot be imported: it ends the program (3)"),
        ("x = (\n", "reference.py:2: cannot be imported: SyntaxError: "),
        ("import helper\n", "helper.py:2: cannot be imported: SyntaxError: "),
        (
            "from nowhere_at_all import x\n",
            "reference.py:2: cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'",
        ),
        ("def f(): f()\nf()\n", "reference.py:2: cannot be imported: RecursionError: "),
        ("import os\nos.chdir('/')\n", "reference.py: leaves the working directory changed from "),
        (
            "import torch\ntorch.set_default_dtype(torch.float64)\n",
            "reference.py: leaves torch's default dtype changed",
        ),
        ("class Odd(BaseException):\n    __str__ = None\nraise Odd\n", "reference.py:4: cannot be imported: Odd"),
    ],
)
def test_whatever_an_import_raises_is_one_line_with_its_line(own_scenario: Path, text: str, said: str) -> None:
    import torch

    add(own_scenario, text)
    (own_scenario / "helper.py").write_text("\nx = = 3\n")
    before = Path.cwd()
    with pytest.raises(ScenarioError) as caught:
        _ = load(str(own_scenario)).reference
    assert str(caught.value).startswith(f"{own_scenario}/{said}")
    assert "\n" not in str(caught.value)
    assert (Path.cwd(), torch.get_default_dtype()) == (before, torch.float32)


def test_a_byte_order_mark_and_line_ends_of_another_system_are_no_mistake(own_scenario: Path) -> None:
    for name in ("scenario.toml", "reference.py"):
        file = own_scenario / name
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    scenario = load(str(own_scenario))
    assert callable(scenario.reference.make_inputs)
    assert scenario.task.endswith("FP32.")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = 1\nb = [\n\xff", "scenario.toml:3: it has to be UTF-8: "),
        (b"a = 1\nb == 2\n", "scenario.toml:2: Invalid value (at line 2, column 4)"),
        (b"a = " + b"[" * 5000, "scenario.toml: "),
        (b"a = " + b"9" * 5000, "scenario.toml: "),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_the_line(own_scenario: Path, content: bytes, said: str) -> None:
    (own_scenario / "scenario.toml").write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load(str(own_scenario))
    assert str(caught.value).startswith(f"{own_scenario}/{said}")


def test_what_a_reference_prints_does_not_stand_in_the_json(own_scenario: Path, cli: Any) -> None:
    add(own_scenario, "import os, sys\nimport ctypes\nprint('at import')\n")
    file = own_scenario / "reference.py"
    said = 'print("py"); os.write(1, b"fd"); ctypes.CDLL(None).puts(b"c"); sys.stdout.write("stream")\n    return {'
    file.write_text(file.read_text().replace("return {", said))
    done = cli("eval", own_scenario, "--json", "--target", "cpu")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "PASSED"
    assert all(words in done.stderr for words in ("at import", "py", "fd", "c\n", "stream"))


def test_hidden_tests_are_counted_and_never_shown(own_scenario: Path, cli: Any) -> None:
    shown = cli("scenario", "show", own_scenario).stdout
    assert "1 hidden test\n" in shown
    told = json.loads(cli("scenario", "show", own_scenario, "--json").stdout)
    assert (told["hidden_tests"], [test["id"] for test in told["tests"]]) == (1, ["odd"])
    assert all(secret not in shown + json.dumps(told) for secret in ("large", "300"))
