"""The documentation site: its reference is written by the code that it describes, at every build."""
