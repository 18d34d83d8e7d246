"""Tests of what Docker does, on Podman: ``python -m tests.podman tests/contract -k docker``.

Podman runs in namespaces of its own, so that it neither meets the machine's Docker nor leaves anything: its mounts,
networks and processes end with it. The tests run in there as well, beside the networks that they have to reach.
"""
