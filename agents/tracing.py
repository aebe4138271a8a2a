"""OpenTelemetry traces of turns, model calls, tools and evaluations, where OTEL_* variables ask for them.

They go to a provider of avo's own, not the global one: there AutoGen would add spans of its own, with message texts.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import avo
from avo.installation import how_to_install
from avo.settings import without_secrets
from avo.spans import Facts, Opener, trace_with
from avo.types import AvoError, Missing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXPORTERS = ("otlp", "console", "none")
LAST_SECONDS = 3
"""Seconds that the end of a command waits for a collector that does not answer."""


@contextmanager
def traced() -> Iterator[None]:
    """Trace the block if the environment asks for it; otherwise import nothing.

    Raises AvoError for a variable with an unsupported value, Missing without the packages.
    """
    exporter = _exporter_name()
    if exporter == "none":
        yield
        return
    provider, sending = _provider(exporter)
    trace_with(_opener(provider))
    try:
        yield
    finally:
        trace_with(None)
        late = threading.Timer(LAST_SECONDS, sending.shutdown)  # ends its attempts to send again
        late.start()
        provider.shutdown()
        late.cancel()


def _exporter_name() -> str:
    """Return one of EXPORTERS, by the standard variables."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return "none"
    there = any(os.environ.get(name) for name in ENDPOINTS)
    name = os.environ.get("OTEL_TRACES_EXPORTER", "").strip() or ("otlp" if there else "none")
    if name not in EXPORTERS:
        raise AvoError(f"OTEL_TRACES_EXPORTER={name}: avo knows {', '.join(EXPORTERS)}")
    return name


class Once(logging.Handler):
    """A log handler that prints the first failure to export, and no further one."""

    said = False

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record, if it is the first."""
        if not self.said:
            self.said = True
            print(f"avo: traces do not arrive: {without_secrets(record.getMessage())[:300]}", file=sys.stderr)


def _provider(exporter: str) -> tuple[TracerProvider, SpanExporter]:
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

        if exporter == "console":
            sending: SpanExporter = ConsoleSpanExporter(out=sys.stderr)
        else:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            sending = OTLPSpanExporter()
    except ModuleNotFoundError as error:
        lacking = f"OTEL_* asks for traces, and {error.name} is not there"
        raise Missing(f"{lacking}: {how_to_install('tracing')}") from error
    facts = {"service.name": os.environ.get("OTEL_SERVICE_NAME") or "avo", "service.version": avo.__version__}
    provider = TracerProvider(resource=Resource.create(facts), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(sending))
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(Once())
    logger.propagate = False
    return provider, sending


def _opener(provider: TracerProvider) -> Opener:
    from opentelemetry.trace import SpanKind, StatusCode

    tracer = provider.get_tracer("avo", avo.__version__)

    @contextmanager
    def opened(name: str, facts: Facts) -> Iterator[Facts]:
        kind = SpanKind.CLIENT if facts.get("gen_ai.operation.name") == "chat" else SpanKind.INTERNAL
        # Not the text of an exception, which may quote a prompt.
        with tracer.start_as_current_span(
            name, kind=kind, record_exception=False, set_status_on_exception=False
        ) as span:  # fmt: skip
            try:
                yield facts
            except BaseException as error:
                facts["error.type"] = type(error).__name__
                raise
            finally:
                span.set_attributes(facts)
                if "error.type" in facts:
                    span.set_status(StatusCode.ERROR)

    return opened
