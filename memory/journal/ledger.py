"""The journal's ledger: tokens, USD and device time, one row per model call, evaluation or comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from avo.memory.journal.table import Table, now

LATELY = 10
"""Number of latest model calls whose maximum is the expected cost of the next one."""


@dataclass(frozen=True)
class Means:
    """Averages of a run so far; 0 or None where there is nothing to average."""

    calls: int
    prompt: float
    """Tokens per model call, the cached ones included."""
    cached: float
    """Tokens of a prompt from the provider's cache, per model call."""
    completion: float
    """Tokens of an answer, per model call."""
    calls_a_step: float
    evaluations_a_step: float
    seconds_a_call: float
    seconds_an_evaluation: float


class Ledger(Table):
    """Costs of the run."""

    def spend(
        self, step: int, agent: str, kind: str, prompt: int = 0, completion: int = 0, seconds: float = 0, *,
        cached: int = 0, model: str = "", usd: float | None = None, device: float = 0,
    ) -> None:  # fmt: skip
        """Add a row.

        kind: model, evaluation or comparison. seconds: wall time. device: seconds for which a device was held.
        cached: prompt tokens from the provider's cache. usd: None when the price is not known.
        """
        self.insert(
            "ledger", step=step, agent=agent, kind=kind, prompt_tokens=prompt, completion_tokens=completion,
            cached_tokens=cached, model=model, usd=usd, seconds=seconds, device_seconds=device, at=now(),
        )  # fmt: skip

    def spent(self) -> list[dict[str, Any]]:
        """Return totals by agent and kind; costs in another operator's step are listed under that operator.

        usd is None when no price was known; `unpriced` counts the model calls that are not in the sum.
        """
        return self.rows(
            "SELECT CASE WHEN COALESCE(operator, 'agent') = 'agent' THEN agent ELSE operator END AS agent, kind,"
            " COUNT(*) AS entries, SUM(prompt_tokens) AS prompt_tokens, SUM(cached_tokens) AS cached_tokens,"
            " SUM(completion_tokens) AS completion_tokens, ROUND(SUM(seconds), 3) AS seconds,"
            " ROUND(SUM(device_seconds), 3) AS device_seconds,"
            " ROUND(SUM(usd), 6) AS usd, SUM(kind = 'model' AND usd IS NULL) AS unpriced"
            " FROM ledger LEFT JOIN steps ON steps.id = ledger.step GROUP BY 1, 2"
        )

    def usd(self) -> float:
        """Return the USD of all calls of known price."""
        return float(self.value("SELECT COALESCE(SUM(usd), 0) FROM ledger"))

    def next_call(self) -> float:
        """Return the expected USD of the next model call: the maximum of the last LATELY ones."""
        query = "SELECT MAX(usd) AS usd FROM (SELECT usd FROM ledger WHERE kind = 'model' ORDER BY id DESC LIMIT ?)"
        return float(self.value(query, LATELY) or 0)

    def entries(self) -> int:
        """Return the number of the last row."""
        return int(self.value("SELECT COALESCE(MAX(id), 0) FROM ledger"))

    def means(self) -> Means:
        """Return the averages per model call, step and evaluation; the seed's evaluation does not count."""
        call = self.rows(
            "SELECT COUNT(*) AS n, AVG(prompt_tokens) AS prompt, AVG(cached_tokens) AS cached,"
            " AVG(completion_tokens) AS completion, AVG(seconds) AS seconds, COUNT(DISTINCT step) AS steps"
            " FROM ledger WHERE kind = 'model'"
        )[0]
        query = "SELECT COUNT(*) AS n, AVG(seconds) AS seconds FROM ledger WHERE kind = 'evaluation' AND step > 0"
        evaluation = self.rows(query)[0]
        steps = max(call["steps"], 1)
        return Means(
            call["n"], call["prompt"] or 0, call["cached"] or 0, call["completion"] or 0,
            call["n"] / steps, evaluation["n"] / steps, call["seconds"] or 0, evaluation["seconds"] or 0,
        )  # fmt: skip
