"""From a source to files on this machine: folders, wheels, commits, web pages."""
