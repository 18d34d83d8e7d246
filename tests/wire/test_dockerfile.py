"""The port of a Dockerfile is that of its last stage, and no Dockerfile is an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from previewbot.wire.dockerfile import exposed_port


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("FROM a\nEXPOSE 80", 80),
        ("FROM a\nexpose 80/tcp 443", 80),
        ("FROM a\nEXPOSE 53/udp 53", 53),
        ("FROM a\nEXPOSE 80\nFROM b\n", None),
        ("FROM a\nEXPOSE 80\nFROM b\nEXPOSE 90 # why", 90),
        ("FROM a\nEXPOSE $PORT", None),
        ("FROM a AS base\nEXPOSE 80\nFROM --platform=linux/amd64 Base as last\nCMD x", 80),
        ("FROM a AS base\nEXPOSE 80\nFROM base\nEXPOSE 90", 90),
        ("FROM a\nEXPOSE 80\nFROM a", None),
        ("FROM\nEXPOSE", None),
        ("FROM a\nEXPOSE 0 70000 x 8080-8090", None),
        ("# EXPOSE 1\nFROM a", None),
        ("", None),
    ],
)
def test_the_exposed_port(text: str, port: int | None) -> None:
    assert exposed_port(text.encode()) == port


@given(st.binary())
def test_any_bytes_can_be_read(raw: bytes) -> None:
    exposed_port(raw)
