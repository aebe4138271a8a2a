"""The tools of an agent: typed functions over one workspace. No AutoGen here. Imports its own rooms."""
