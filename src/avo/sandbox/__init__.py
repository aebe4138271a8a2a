"""What a process that nobody trusts may do, and how it is run. Imports the ground only."""
