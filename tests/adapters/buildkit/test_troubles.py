"""What ``buildctl`` 0.34 ends with where a build fails, and what is made of it."""

from __future__ import annotations

import pytest

from previewbot.adapters.buildkit.troubles import Kind, read_trouble

ADDRESS = "tcp://build.test:1234"
IMAGE = "registry.test/previews/app-1:0f0f"
BLOB = f"http://registry.test/v2/previews/app-1/blobs/sha256:{'1d429503' * 8}"
UNAVAILABLE = 'Unavailable: connection error: desc = "transport: Error while dialing: dial tcp: connection refused"'


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (
            f"listing workers for Build: failed to list workers: {UNAVAILABLE}",
            Kind.AWAY,
            f"BuildKit at {ADDRESS} cannot be reached: failed to list workers: {UNAVAILABLE}",
        ),
        (f"failed to call info: {UNAVAILABLE}", Kind.AWAY, "cannot be reached: Unavailable"),
        (
            "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
            Kind.DIED,
            f"BuildKit at {ADDRESS} went away in the middle of the build",
        ),
        ("failed to solve: Canceled: context canceled", Kind.DIED, "went away in the middle"),
        ("failed to solve: no active session for abc: context deadline exceeded", Kind.DIED, "went away"),
        (
            f"failed to solve: failed to push {IMAGE}: unexpected status from HEAD request to {BLOB}: 401 Unauthorized",
            Kind.FINAL,
            (
                "previewbot's operator has to check the credentials in `registry`, and that they may push to"
                " `previews/app-1`."
            ),
        ),
        (
            (
                f"failed to solve: failed to push {IMAGE}: push access denied, repository does not exist or may require"
                " authorization: server message: insufficient_scope: authorization failed"
            ),
            Kind.FINAL,
            "has to check the credentials in `registry`",
        ),
        (
            f"failed to solve: failed to push {IMAGE}: name unknown: The repository with name 'x' does not exist",
            Kind.FINAL,
            "has to make the repository `previews/app-1` there",
        ),
        (f"failed to solve: failed to push {IMAGE}: denied: quota exceeded", Kind.FINAL, "has to make room there"),
        (
            (
                f"failed to solve: failed to push {IMAGE}: failed to do request: Head {BLOB}: dial tcp 127.0.0.1:1:"
                " connect: connection refused"
            ),
            Kind.UNWELL,
            "The image was built, but the registry registry.test does not take it",
        ),
        (f"failed to solve: failed to push {IMAGE}: from PUT {BLOB}: 503 Service Unavailable", Kind.UNWELL, "503"),
        (
            f"failed to solve: failed to push {IMAGE}: errors: blob unknown: blob unknown to registry",
            Kind.UNWELL,
            "(errors: blob unknown",
        ),
        (
            f"failed to solve: failed to push {IMAGE}: unknown: provided digest did not match uploaded content",
            Kind.UNWELL,
            "did not match",
        ),
        (f"failed to solve: failed to push {IMAGE}: unknown: blob upload invalid", Kind.FINAL, "a quota may be full"),
        (
            (
                f"failed to solve: failed to push {IMAGE}: Head {BLOB}: tls: failed to verify certificate: x509:"
                " certificate signed by unknown authority"
            ),
            Kind.FINAL,
            "make BuildKit trust the registry's certificate, in its buildkitd.toml",
        ),
        (
            (
                "failed to solve: nope:1: failed to resolve source metadata for docker.io/library/nope:1:"
                " docker.io/library/nope:1: not found"
            ),
            Kind.FINAL,
            (
                "The base image `docker.io/library/nope:1` cannot be pulled (docker.io/library/nope:1: not found):"
                " check its name and its tag."
            ),
        ),
        (
            (
                "failed to solve: a/b: failed to resolve source metadata for docker.io/a/b:latest: pull access denied,"
                " repository does not exist or may require authorization: server message: insufficient_scope:"
                " authorization failed"
            ),
            Kind.FINAL,
            "a private one has to be on a registry that previewbot has credentials for",
        ),
        (
            (
                "failed to solve: a: failed to resolve source metadata for docker.io/library/a: failed to copy: 429 Too"
                " Many Requests"
            ),
            Kind.UNWELL,
            "The base image `docker.io/library/a` cannot be pulled now",
        ),
    ],
)
def test_a_trouble_is_told_with_the_way_out(error: str, kind: Kind, told: str) -> None:
    trouble = read_trouble(error, ADDRESS)
    assert trouble
    assert trouble.kind is kind
    assert told in trouble.told


@pytest.mark.parametrize(
    "error",
    [
        None,
        "",
        'failed to solve: process "/bin/sh -c echo failed to push x: 401; exit 1" did not complete successfully: 1',
        'failed to solve: process "/bin/sh -c curl x || failed to resolve" did not complete: exit code: 6',
        "failed to solve: dockerfile parse error on line 2: unknown instruction: FRUN (did you mean RUN?)",
        'failed to solve: target stage "nope" could not be found',
        'failed to solve: failed to compute cache key: failed to calculate checksum of ref x: "/nope": not found',
    ],
)
def test_what_the_dockerfile_is_to_blame_for_is_no_trouble_of_ours(error: str | None) -> None:
    assert read_trouble(error, ADDRESS) is None


def test_of_a_long_error_both_ends_are_told_on_one_line() -> None:
    trouble = read_trouble(f"failed to solve: failed to push {IMAGE}: begin\n{'x' * 5000}\nend", ADDRESS)
    assert trouble
    assert "(begin xxx" in trouble.told
    assert "xxx end)" in trouble.told
    assert len(trouble.told) < 700
