"""Instruments that show why a candidate is slow or wrong: profilers, sanitizers. Imports build, launch, reference."""
