"""The tuner: a search over knobs without a language model, which speaks as one."""
