"""Traces as a collector receives them: a real OTLP/HTTP server that decodes protobuf, fed by real commands."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession
from mcp.client import stdio
from mcp.client.stdio import StdioServerParameters, stdio_client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from avo.installation import how_to_install
from avo.settings import PACKAGE

TINY = Path(__file__).parents[1] / "tiny"
SECRET = "sk-a-secret-that-nobody-may-see"


class Collector(ThreadingHTTPServer):
    """Keeps what was sent to /v1/traces."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[ExportTraceServiceRequest] = []
        self.bodies = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[dict[str, Any]]:
        """Name, parent's name, error, and attributes of every span."""
        found = [s for request in self.requests for r in request.resource_spans for c in r.scope_spans for s in c.spans]
        names = {span.span_id: span.name for span in found}
        return [
            {
                "name": span.name, "parent": names.get(span.parent_span_id, ""), "error": span.status.code == 2,
                "nanoseconds": span.end_time_unix_nano - span.start_time_unix_nano,
            }
            | {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}
            for span in found
        ]  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            self.server.requests.append(request)
            self.server.bodies += body
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def run(tmp_path: Path, planted_run: Path) -> Path:
    return Path(shutil.copytree(planted_run, tmp_path / "run"))


@pytest.mark.slow
def test_turns_model_calls_tools_and_evaluations_arrive_as_one_tree(collector: Collector, run: Path, cli: Any) -> None:
    done = cli(
        "run", "scenario", TINY, "--target", "cpu", "--run", run, "--steps", 1,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OPENAI_API_KEY=SECRET,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    spans = collector.spans()
    parents = {(span["name"], span["parent"]) for span in spans}
    assert parents >= {
        ("invoke_agent worker", ""), ("chat tuner", "invoke_agent worker"),
        ("execute_tool sweep", "invoke_agent worker"), ("evaluate", "execute_tool sweep"),
        ("execute_tool commit", "invoke_agent worker"), ("compare", "execute_tool commit"),
    }  # fmt: skip
    calls = [span for span in spans if span["name"] == "chat tuner"]
    facts = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "tuner", "gen_ai.agent.name": "worker"}
    assert all(facts.items() <= call.items() for call in calls)
    assert all(call["gen_ai.usage.input_tokens"] >= 0 for call in calls)
    evaluation = next(span for span in spans if span["name"] == "evaluate")
    assert (evaluation["avo.status"], evaluation["avo.unit"], evaluation["avo.target"]) == ("PASSED", "GFLOP/s", "cpu")
    assert evaluation["avo.score"] > 0
    assert evaluation["nanoseconds"] > 0
    tools = [span for span in spans if span["name"].startswith("execute_tool")]
    log = json.loads(cli("memory", "log", "--agent", "worker", "--json", "--run", run).stdout)
    assert len(tools) == sum(entry["kind"] == "result" for entry in log)
    resource = collector.requests[0].resource_spans[0].resource.attributes
    assert ("service.name", "avo") in [(pair.key, pair.value.string_value) for pair in resource]


def test_nothing_that_was_said_is_in_a_trace(collector: Collector, run: Path, cli: Any) -> None:
    source = run / "lineage" / "matvec.cpp"
    source.write_text(source.read_text().replace("SUMS = 1;", "SUMS = 1 +;"))
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OPENAI_API_KEY": SECRET}
    done = cli("eval", TINY, "--target", "cpu", "--run", run, "--direction", "my very own idea", **environment)
    assert done.returncode == 1
    (evaluation,) = collector.spans()
    assert evaluation["avo.status"] == "COMPILE_ERROR"
    for text in ("my very own idea", "SUMS", "matvec", SECRET, str(run)):
        assert text.encode() not in collector.bodies


def test_a_client_of_mcp_is_traced_and_its_mistakes_are_errors(
    collector: Collector, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdio, "PROCESS_TERMINATION_TIMEOUT", 120.0)  # what is killed sends nothing any more
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-c", "from avo.cli import main; main()", "mcp", str(TINY), "--target", "cpu", "--run", str(run)],
        env={"AVO_CACHE": os.environ["AVO_CACHE"], "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url},
    )

    async def part() -> None:
        async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            await session.call_tool("lineage", {})
            await session.call_tool("read_file", {"path": "a secret name"})

    asyncio.run(part())
    spans = {span["name"]: span for span in collector.spans()}
    assert (spans["execute_tool lineage"]["error"], spans["execute_tool read_file"]["error"]) == (False, True)
    assert spans["execute_tool read_file"]["error.type"] == "ToolError"
    assert b"a secret name" not in collector.bodies


def test_without_the_variables_opentelemetry_is_not_even_imported() -> None:
    code = (
        "import sys\nfrom avo.agents.tracing import traced\nfrom avo.spans import span\n"
        "with traced(), span('evaluate', {}) as facts:\n    facts['avo.score'] = 1\n"
        "print(*[name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    for variables, imported in (
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
    ):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        done = subprocess.run(
            [sys.executable, "-c", code], env=clean | variables, capture_output=True, text=True, check=True
        )
        assert bool(done.stdout.strip()) is imported, variables
        assert ('"avo.score": 1' in done.stderr) is imported


@pytest.mark.parametrize(
    ("variables", "code", "says"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, 2, "OTEL_TRACES_EXPORTER=zipkin: avo knows otlp, console, none"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "PYTHONPATH": f"site{os.pathsep}{PACKAGE.parent}"}, 3,
            how_to_install("tracing"),
        ),
    ],
)  # fmt: skip
def test_a_variable_that_cannot_be_followed_is_one_line(
    variables: dict[str, str], code: int, says: str, run: Path, cli: Any, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith('opentelemetry.exporter'):\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    done = cli("eval", TINY, "--target", "cpu", "--run", run, **variables)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_collector_that_is_not_there_changes_no_result(run: Path, cli: Any) -> None:
    source = run / "lineage" / "matvec.cpp"
    source.write_text(source.read_text() + "// something new\n")
    done = cli("eval", TINY, "--target", "cpu", "--run", run, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("attempt 2: PASSED")
    (line,) = done.stderr.splitlines()
    assert line.startswith("avo: traces do not arrive: ")
