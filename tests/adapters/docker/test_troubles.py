"""The last words of ``docker build``, as its versions say them."""

from __future__ import annotations

import pytest

from previewbot.adapters.building.progress import Progress
from previewbot.adapters.docker.troubles import read_trouble

LLB = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: "
SOURCE = "failed to solve: failed to resolve source metadata for docker.io/library/x: "


@pytest.mark.parametrize(
    "said",
    [
        "unexpected EOF",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "failed to dial gRPC: cannot connect to the Docker daemon. Is 'docker daemon' running on this host?",
        "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
        "failed to build: failed to solve: Canceled: context canceled",
    ],
)
def test_an_engine_that_went_away_is_no_fault_of_the_dockerfile(said: str) -> None:
    assert (read_trouble(said) or "").startswith("The Docker engine went away in the middle of the build: ")


@pytest.mark.parametrize(
    "said",
    [
        'Get "http://localhost:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
        f'{LLB}failed to do request: Head "http://localhost:1/v2/nope": dial tcp: connect: connection refused',
        f"{LLB}unexpected status code [manifests 1]: 503 Service Unavailable",
        f'{SOURCE}failed to do request: Head "https://docker.io/v2/x": net/http: TLS handshake timeout',
        'Error response from daemon: Head "https://registry-1.docker.io/v2/x": received unexpected HTTP status: 502',
    ],
)
def test_a_registry_that_is_unwell_is_no_fault_of_the_dockerfile(said: str) -> None:
    assert (read_trouble(said) or "").startswith("A base image cannot be pulled now: ")


@pytest.mark.parametrize(
    "said",
    [
        "executor failed running [/bin/sh -c timeout 5 curl http://x/503; echo unexpected EOF]: exit code: 124",
        'failed to solve: process "/bin/sh -c echo unexpected EOF; exit 1" did not complete successfully: exit code: 1',
        "The command '/bin/sh -c echo unexpected EOF; exit 1' returned a non-zero code: 1",
        f"{LLB}dockerfile parse error line 2",
        f"{SOURCE}not found",
        "pull access denied for previewbot/nope, repository does not exist or may require 'docker login'",
        "",
    ],
)
def test_what_only_a_push_can_mend_is_the_dockerfiles_own(said: str) -> None:
    assert read_trouble(said) is None


def test_no_line_of_a_step_passes_for_the_last_words() -> None:
    progress = Progress()
    for line in (
        "#5 [2/2] RUN x",
        "#5 0.2 unexpected EOF",
        "executor failed running [x]: exit code: 1",
        "",
        "#5 1 EOF",
    ):
        progress.read(line)
    assert progress.last_words == "executor failed running [x]: exit code: 1"
