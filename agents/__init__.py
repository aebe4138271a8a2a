"""The variation operator: a worker and a supervisor over AutoGen. The only folder that imports it."""
