"""Why a candidate is slow or wrong: profilers and sanitizers, round a process that loads it. Imports build, launch."""
