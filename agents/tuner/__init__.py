"""The tuner: a search over knobs that plays an agent without a language model."""
