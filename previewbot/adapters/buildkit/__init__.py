"""Images built by BuildKit and kept in a registry.

``builder`` calls ``buildctl``; ``registry`` asks what is there, and deletes; ``names`` says what is ours.
"""
