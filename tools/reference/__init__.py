"""The scenario's side of a measurement: its inputs, its expected outputs, and the check of actual ones."""
