"""Loader of scenario.toml into a validated, frozen Scenario; every mistake is one line with file and key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from avo.scenarios.blame import raised
from avo.scenarios.catalog import folder
from avo.scenarios.expressions import evaluate
from avo.scenarios.foreign import contained
from avo.scenarios.layers import holder, layers, merged, sources
from avo.scenarios.modules import import_reference
from avo.types import AvoError, ScenarioError, unknown_key

Family = Literal["cpu", "cuda"]
"""Kind of device that a case is measured on."""
Precision = Literal["int8", "fp8", "fp4", "fp16"]
"""Reduced precision that a target may allow."""
Bound = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]

UNITS = {"GFLOP/s": ("flops", 1e9), "TFLOPS": ("flops", 1e12), "GB/s": ("bytes", 1e9)}
"""Unit -> the kind of work that it counts (flops or bytes), and the number of them that make one."""
GLANCED = 2
"""Tests of a quick look."""
TargetName = Annotated[str, StringConstraints(pattern=r"^(cpu|sm_\d{2,3}a?)$")]
"""`cpu`, or a GPU architecture in nvcc's form."""


class Strict(BaseModel):
    """A table of scenario.toml: unknown keys are errors, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tensor(Strict):
    """A pointer in the ABI."""

    name: Identifier
    dtype: Literal["bf16", "fp32", "int32", "uint8"]
    shape: tuple[str | int, ...]
    """Expressions over the case's dimensions, outermost first; row-major."""
    role: Literal["in", "out", "workspace"]


class Scalar(Strict):
    """A number in the ABI."""

    name: Identifier
    dtype: Literal["fp32", "int32", "int64"]
    value: str | int | float
    """A number or an expression over the dimensions."""


class Work(Strict):
    """The work of one launch: a property of the problem, never of the candidate."""

    flops: str
    bytes: str
    """Least traffic: every input read once, every output written once."""


class Case(Strict):
    """A set of dimensions; `inputs` names a family of reference.make_inputs."""

    id: str
    family: Family | Literal["any"] = "any"
    dims: dict[str, Annotated[int, Field(ge=1)]]
    ranges: dict[str, tuple[int, int]] = {}
    """Dimensions that every evaluation draws anew, first and last included; for tests only."""
    inputs: str = "randn"
    hidden: bool = False
    """Not shown to the agent."""
    families: tuple[str, ...] | None = None
    """Further families that launches of a timed case are checked on; when not given, those of all tests."""

    def drawn(self, random: Random) -> Case:
        """Return the case with dimensions drawn from its ranges."""
        return self.model_copy(update={"dims": self.dims | {d: random.randint(*r) for d, r in self.ranges.items()}})

    @property
    def largest(self) -> Case:
        """The case with the largest dimensions of its ranges."""
        return self.model_copy(update={"dims": self.dims | {name: last for name, (_, last) in self.ranges.items()}})

    @property
    def alias(self) -> str:
        """Its id; of a hidden one a digest, which tells nothing about it."""
        return f"hidden {hashlib.sha256(self.id.encode()).hexdigest()[:8]}" if self.hidden else self.id

    @property
    def label(self) -> str:
        """The name that an agent is shown: the id, unless the case is hidden."""
        return "a hidden test" if self.hidden else self.id


class Tolerance(Strict):
    """The allowed error: |o - r| <= magnitude * m + relative * |r| + absolute per element, and a bound on the norm.

    o is the output; r and m come from reference(): the expected value, and the magnitude of the terms summed to it.
    """

    magnitude: Bound
    relative: Bound
    absolute: Bound
    frobenius: Bound


class Target(Strict):
    """Build and measurement of candidates for one device."""

    seed: str
    """Folder beside scenario.toml, or below kernels/."""
    unit: Literal["GFLOP/s", "TFLOPS", "GB/s"]
    flags: tuple[str, ...]
    baselines: tuple[str, ...] = ()
    """Functions of reference.py: (case, inputs) -> output, or outputs by name, in the shapes of `tensors`.

    The first is timed with every evaluation, all of them by `avo bench`.
    """
    compile_seconds: Seconds = 120.0
    launch_seconds: Seconds = 20.0
    """Longest that one launch may take."""
    sanitizers: tuple[Literal["memcheck", "racecheck", "initcheck", "synccheck", "address", "undefined"], ...] = ()
    """Tools that have to find nothing before a version is kept; slow. The last two are a CPU's, the others CUDA's."""
    allow: tuple[Precision, ...] = ()
    """What candidates may compute in though tensors hold bf16 or fp32: products of int8, fp8 or fp4, sums in fp16."""


class Stagnation(Strict):
    """Limits of a search without progress, after which the supervisor intervenes."""

    patience: Annotated[int, Field(ge=1)] = 8
    """Evaluations without an improvement, and without getting nearer to one; a sweep counts as one."""


class Scenario(Strict):
    """A problem: the computation, its cases, and the criteria of correctness and speed."""

    name: str
    path: Path
    files: tuple[Path, ...]
    """scenario.toml, and those that it extends."""
    summary: str
    task: str
    tags: tuple[str, ...] = ()
    dims: tuple[Identifier, ...]
    tensors: tuple[Tensor, ...]
    scalars: tuple[Scalar, ...] = ()
    work: Work
    tolerance: Tolerance
    cases: tuple[Case, ...]
    tests: tuple[Case, ...] = ()
    targets: dict[TargetName, Target]
    stagnation: Stagnation = Stagnation()

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        fields = [*(t.name for t in self.tensors), *self.dims, *(s.name for s in self.scalars)]
        if twice := {name for name in fields if fields.count(name) > 1}:
            raise ValueError(f"'{min(twice)}' names two of tensors, dims and scalars")
        if not any(tensor.role == "out" for tensor in self.tensors):
            raise ValueError("no tensor has the role 'out'")
        for case in (*self.cases, *self.tests):
            if set(case.dims) != set(self.dims):
                raise ValueError(f"case '{case.id}' has dims {sorted(case.dims)}, not {sorted(self.dims)}")
            if any(name not in self.dims or not 1 <= first <= last for name, (first, last) in case.ranges.items()):
                raise ValueError(f"case '{case.id}' has ranges that are no [first, last] of its dims")
            for tensor in self.tensors:
                shape_of(tensor, case)
            for scalar in self.scalars:
                evaluate(scalar.value, case.dims)
            if evaluate(self.work.flops, case.dims) <= 0 or evaluate(self.work.bytes, case.dims) <= 0:
                raise ValueError(f"work of case '{case.id}' is not positive")
        if ranged := [case.id for case in self.cases if case.ranges]:
            raise ValueError(f"case '{ranged[0]}' is timed and cannot have ranges")
        if named := [case.id for case in self.tests if case.families is not None]:
            raise ValueError(f"test '{named[0]}' is not timed and cannot have families; its family is `inputs`")
        ids = [case.id for case in (*self.cases, *self.tests)]
        if twice := {name for name in ids if ids.count(name) > 1}:
            raise ValueError(f"case id '{min(twice)}' stands twice")
        for name, target in self.targets.items():
            if not self.timed(name):
                raise ValueError(f"targets.{name} has no [[cases]] of family '{family(name)}'")
            for tool in target.sanitizers:
                if (tool in ("address", "undefined")) != (family(name) == "cpu"):
                    raise ValueError(f"targets.{name}.sanitizers: {tool} is not for this target")
        return self

    @cached_property
    def reference(self) -> ModuleType:
        """reference.py as a module; imports torch. Raises ScenarioError with the line that failed."""
        source = self.path / "reference.py"
        if not source.is_file():
            raise ScenarioError("missing; it must define make_inputs and reference", source)
        try:
            with contained():
                return import_reference(self.path)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # somebody's code: it may raise whatever it likes
            raise raised(self.path, "", error) from error

    @cached_property
    def digest(self) -> str:
        """16 hex digits over scenario.toml, reference.py and all that they include; scores of others do not compare."""
        # Scores hang on it: a new comment in one of these files ends the comparability of runs.
        files = [*self.files, *sources(self.path / "reference.py")]
        return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]

    def target(self, name: str) -> Target:
        """Return a target by name. Raises AvoError that lists the targets."""
        if name not in self.targets:
            raise AvoError(f"scenario {self.name} has no target '{name}'; there are: {', '.join(self.targets)}")
        return self.targets[name]

    def timed(self, target: str) -> tuple[Case, ...]:
        """Return the timed cases for a target."""
        return tuple(case for case in self.cases if case.family in ("any", family(target)))

    def checked(self, target: str) -> tuple[Case, ...]:
        """Return the tests for a target."""
        return tuple(case for case in self.tests if case.family in ("any", family(target)))

    def glance(self, target: str, first: Sequence[str] = ()) -> Scenario:
        """Return the scenario with the timed case of least work alone, and GLANCED tests.

        first: aliases of tests that come before others.
        """
        unit = self.target(target).unit
        case = min(self.timed(target), key=lambda case: self.work_of(unit, case))
        tests = sorted(
            self.checked(target), key=lambda one: first.index(one.alias) if one.alias in first else len(first)
        )
        return self.model_copy(update={"cases": (case,), "tests": tuple(tests[:GLANCED])})

    def families(self, case: Case) -> tuple[str, ...]:
        """Return the families of inputs on which a timed case is launched: its own first, then the further ones.

        Without `families` the further ones are those of all tests for a target of the case's family.
        """
        others = case.families
        if others is None:
            fitting = (test for test in self.tests if test.family == "any" or case.family in ("any", test.family))
            others = tuple(test.inputs for test in fitting)
        return tuple(dict.fromkeys((case.inputs, *others)))

    def work_of(self, unit: str, case: Case) -> float:
        """Return the work of one launch of `case` in the unit without its "per second": GFLOP, TFLOP or GB."""
        kind, size = UNITS[unit]
        return evaluate(self.work.flops if kind == "flops" else self.work.bytes, case.dims) / size


def family(target: str) -> Family:
    """Return the family of cases for a target."""
    return "cpu" if target == "cpu" else "cuda"


def shape_of(tensor: Tensor, case: Case) -> tuple[int, ...]:
    """Return a tensor's shape in a case. Raises ValueError for an invalid expression or an extent below 1."""
    shape = tuple(int(evaluate(extent, case.dims)) for extent in tensor.shape)
    if min(shape, default=0) < 1:
        raise ValueError(f"tensor '{tensor.name}' of case '{case.id}' has shape {shape}")
    return shape


def load(name: str) -> Scenario:
    """Return the scenario of that name, or in that folder.

    Raises ScenarioError with file, key and remedy, AvoError if there is none.
    """
    path = folder(name)
    found = layers(path)
    own = {"name": path.name, "path": path, "files": tuple(layer.file for layer in found)}
    try:
        return Scenario.model_validate(merged(found) | own)
    except ValidationError as error:
        problem = _first_problem(error)
        key, words = _told(problem)
        raise ScenarioError(words, holder(found, problem["loc"]), key=key) from error


def _first_problem(error: ValidationError) -> ErrorDetails:
    problems = error.errors()  # a misspelt key is both unknown and missing: the unknown one says more
    return next((entry for entry in problems if entry["type"] == "extra_forbidden"), problems[0])


def _told(problem: ErrorDetails) -> tuple[str, str]:
    """Return the key, if it is known, and the problem."""
    where = ".".join(str(part) for part in problem["loc"]) or "scenario"
    if problem["type"] == "extra_forbidden":
        return "", unknown_key(problem["loc"], _keys_at(problem["loc"][:-1]))
    if problem["loc"][-1:] == ("[key]",):
        return where.removesuffix(".[key]"), "a target is cpu or an architecture such as sm_90a"
    return where, problem["msg"].removeprefix("Value error, ")


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    tables: dict[str, type[Strict]] = {
        "tensors": Tensor, "scalars": Scalar, "work": Work, "tolerance": Tolerance,
        "cases": Case, "tests": Case, "targets": Target,
        "stagnation": Stagnation,
    }  # fmt: skip
    if not location:
        return [key for key in Scenario.model_fields if key not in ("name", "path", "files")] + ["extends"]
    table = str(location[0])
    valid = list(tables[table].model_fields) if table in tables else []
    return [key for key in valid if (table, key) not in (("cases", "ranges"), ("tests", "families"))]
