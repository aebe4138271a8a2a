"""Fetching of sources to this machine: folders, wheels, commits, web pages."""
