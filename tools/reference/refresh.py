"""New inputs for every timed launch, so that nothing kept from one launch is right in another."""

from __future__ import annotations

import itertools
import random
import secrets
from collections.abc import Sequence

from avo.scenarios.loader import Case, Scenario
from avo.tools.launch.mixed import Masks, Mixed, Pair
from avo.tools.reference.inputs import Tensors, refreshed

HOOK = "refresh"
"""Function of reference.py, (case, inputs, seed) -> inputs, for inputs that depend on each other."""
_secret = random.SystemRandom()


class Pool:
    """A few drawn sets of inputs of a case, from which the inputs of many launches are made."""

    def __init__(self, scenario: Scenario, case: Case, sets: Sequence[Tensors], masks: Masks) -> None:
        """Make a pool of at least two `sets`."""
        self.scenario, self.case, self.sets, self.masks = scenario, case, sets, masks
        self.own = callable(getattr(scenario.reference, HOOK, None))
        self.pairs = [] if self.own else [Pair(one, other) for one, other in itertools.combinations(sets, 2)]

    def fresh(self) -> Tensors:
        """Return new inputs for one launch."""
        return self._refreshed(_secret.choice(self.sets)) if self.own else Mixed(_secret.choice(self.pairs), self.masks)

    def alike(self) -> tuple[Tensors, Tensors]:
        """Return new inputs for two launches, made from the same sets: no two launches have more in common."""
        if self.own:
            return self._refreshed(self.sets[0]), self._refreshed(self.sets[0])
        return Mixed(self.pairs[0], self.masks), Mixed(self.pairs[0], self.masks)

    def _refreshed(self, given: Tensors) -> Tensors:
        device = next((tensor.device.type for tensor in given.values()), "cpu")
        return refreshed(self.scenario, self.case, given, secrets.randbits(62), device)
