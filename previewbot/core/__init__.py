"""Frozen facts and pure rules: what is, what should be, and what to do next.

Nothing here reads a clock, a file or a socket, and nothing here imports more than the standard library.
"""
