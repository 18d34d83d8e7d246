"""Observe, decide, act, settle: what drives an environment to where it should be."""
