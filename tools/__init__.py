"""What an agent can do: typed functions over one workspace. No AutoGen here. Imports its own rooms."""
