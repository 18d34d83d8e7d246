"""Pure translation between foreign shapes and core: webhook JSON, YAML, comments, Markdown.

A parser returns a flaw, it never raises one; nothing here does I/O.
"""
