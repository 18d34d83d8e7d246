"""Pure translation between foreign shapes (webhook JSON, YAML, comments, Markdown) and core. A parser returns a flaw, it never raises one."""
