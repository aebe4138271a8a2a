"""The scenario's side of a measurement: what is drawn, what is expected of it, and whether outputs are right."""
