"""The sandbox: the rights and limits of untrusted processes, and how they are run. Imports the ground only."""
