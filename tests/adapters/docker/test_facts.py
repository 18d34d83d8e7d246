"""What is made of the engine's answers and of what containers say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from previewbot.adapters.docker.facts import Facts, read
from previewbot.adapters.docker.labels import Names, Target
from previewbot.adapters.readable import readable
from previewbot.core.blueprint import Health, Kind
from previewbot.core.ids import Key

_PUBLISHED = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
_FACTS = Facts(
    id="c1",
    status="restarting",
    started_at="2026-01-02T03:04:05.123456789Z",
    restarts=2,
    exit_code=3,
    out_of_memory=False,
    memory=512 * 1024 * 1024,
    labels={},
    address=None,
)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (_FACTS, "exits with code 3"),
        (replace(_FACTS, exit_code=0), "exits with code 0"),
        (replace(_FACTS, exit_code=127), "exits with code 127 (command not found)"),
        (replace(_FACTS, exit_code=139), "exits with code 139 (SIGSEGV)"),
        (replace(_FACTS, exit_code=137, out_of_memory=True), "was killed: out of memory (limit 512 MiB)"),
        (replace(_FACTS, status="running"), None),
    ],
)
def test_the_end_of_a_program_is_said_in_words(facts: Facts, told: str | None) -> None:
    assert facts.last_exit() == told


@pytest.mark.parametrize("moment", ["2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05Z"])
def test_the_time_that_a_program_runs_is_read_whatever_its_precision(moment: str) -> None:
    now = datetime(2026, 1, 2, 3, 4, 7, tzinfo=UTC)
    assert 1.8 < replace(_FACTS, started_at=moment).running_seconds(now) <= 2


def test_an_inspection_without_optional_parts_is_read() -> None:
    facts = read(
        {
            "Id": "c1",
            "State": {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"},
            "NetworkSettings": {"Networks": None, "Ports": {"80/tcp": None}},
            "Config": {"Labels": None},
        }
    )
    assert not facts.is_alive
    assert facts.address is None


@pytest.mark.parametrize(
    ("home", "bindings", "ports", "told"),
    [
        ("home", None, {"8080/tcp": None}, "172.30.0.2:8080"),
        ("0123456789abcdef", None, {}, "172.30.0.2:8080"),
        ("elsewhere", None, {}, None),
        ("home", _PUBLISHED, {"8080/tcp": [{"HostPort": "32768"}]}, "127.0.0.1:32768"),
        ("home", _PUBLISHED, {}, None),
    ],
)
def test_a_port_is_reached_where_it_is_published_or_else_on_the_network_it_was_made_on(
    home: str, bindings: object, ports: object, told: str | None
) -> None:
    own = {"IPAddress": "172.30.0.2", "NetworkID": "0123456789abcdef"}
    networks = {"newer": {"IPAddress": "172.29.0.9", "NetworkID": "fedcba9876543210"}, "home": own}
    facts = read(
        {
            "Id": "c1",
            "State": {"Status": "running", "StartedAt": "2026-01-02T03:04:05Z"},
            "HostConfig": {"NetworkMode": home, "PortBindings": bindings},
            "NetworkSettings": {"Networks": networks, "Ports": ports},
            "Config": {"Labels": Target(8080, None, Health(None)).labels()},
        }
    )
    assert (facts.address and str(facts.address)) == told


@pytest.mark.parametrize("path", [None, "/up"])
def test_what_probing_needs_survives_in_labels(path: str | None) -> None:
    target = Target(8080, "a.localhost", Health(path, timedelta(seconds=1.5)))
    assert Target.read(target.labels()) == target
    assert Target.read(Target(None, None, Health(path)).labels()) == Target(None, None, Health(path))


def test_names_are_made_of_checked_parts_only() -> None:
    names = Names("one")
    assert names.key_of_network(names.network(Key(1, 2), "abc", 3)) == Key(1, 2)
    assert Names("two").key_of_network(names.network(Key(1, 2), "abc", 3)) is None
    for hostile in ("", "../x", "a b", "-a", "a/b", "a\n"):
        with pytest.raises(ValueError, match="not a name of ours"):
            names.container(Key(1, 2), "abc", hostile, 0)
        with pytest.raises(ValueError, match="not a name of ours"):
            names.tag(hostile)


def test_output_is_shown_without_colours_and_control_characters() -> None:
    said = b"\x1b[31mred\x1b[0m\n10%\r20%\r\n\xff\x00tab\there\n" + b"x" * 9000 + b"\n"
    assert readable(said, 20) == ("red", "20%", "\ufffdtab\there", "x" * 9000)
    assert readable(b"", 20) == ()
    assert readable(b"a\nb\nc\n", 2) == ("b", "c")


@pytest.mark.parametrize(
    ("kind", "finished", "told"),
    [
        (Kind.WEB, "2026-01-02T03:04:06Z", "restarting"),
        (Kind.JOB, "2026-01-02T03:04:06Z", "exited"),
        (Kind.JOB, "0001-01-01T00:00:00Z", "restarting"),
    ],
)
def test_what_ended_and_was_not_cleaned_up_after_is_over_only_where_nothing_starts_it_again(
    kind: Kind, finished: str, told: str
) -> None:
    facts = read(
        {
            "Id": "c1",
            "State": {"Status": "stopped", "StartedAt": "2026-01-02T03:04:05Z", "FinishedAt": finished},
            "NetworkSettings": {"Networks": {}},
            "Config": {"Labels": Target(None, None, Health(None), kind).labels()},
        }
    )
    assert facts.status == told
