"""The output of ``docker build`` as Docker 20.10 and newer ones write it, and what is made of it."""

from __future__ import annotations

import pytest

from previewbot.adapters.building.progress import Progress, find_line

_BUILDKIT = """\
#1 [internal] load build definition from Dockerfile
#1 sha256:ac6827961c632adc80357126c1a2f4ca7499333e997690eb9343955d9fa3958a
#1 transferring dockerfile: 195B done
#1 DONE 0.0s
#5 [build 2/2] RUN echo one &&     echo two
#5 sha256:9780c25c2fc33d888f602becfa367bbfcebeb62a4c9b49f22f7a5a3e2744516f
#5 0.208 one
#5 0.208 two
#5 DONE 0.2s
#7 [stage-1 3/3] RUN echo hello;   echo err >&2; exit 4
#7 0.205 hello
#7 0.205 \x1b[91merr\x1b[0m
#7 ERROR: executor failed running [/bin/sh -c echo hello;   echo err >&2; exit 4]: exit code: 4
------
 > [stage-1 3/3] RUN echo hello;   echo err >&2; exit 4:
------
executor failed running [/bin/sh -c echo hello;   echo err >&2; exit 4]: exit code: 4
"""
_CLASSIC = """\
Sending build context to Docker daemon  2.048kB
Step 1/2 : FROM previewbot/base:1
 ---> 5e92c5ed933f
Step 2/2 : RUN echo hello;   echo err >&2; exit 4
 ---> Running in f971c643a866
hello
\x1b[91merr
\x1b[0mRemoving intermediate container f971c643a866
The command '/bin/sh -c echo hello;   echo err >&2; exit 4' returned a non-zero code: 4
"""
_PODMAN = """\
Sending build context to Docker daemon  2.048kB
STEP 1/2: FROM previewbot/base:1
STEP 2/2: RUN echo hello;   echo err >&2; exit 4
hello
err
building at STEP "RUN echo hello;   echo err >&2; exit 4": while running runtime: exit status 4
"""
_DOCKERFILE = """\
# syntax comment
FROM previewbot/base:1 AS build
RUN echo one && \\
    # a comment in between
    echo two
FROM previewbot/base:1

RUN echo hello; \\
  echo err >&2; exit 4
"""


def _read(text: str) -> Progress:
    made = Progress()
    for line in text.splitlines():
        made.read(line)
    return made


@pytest.mark.parametrize("output", [_BUILDKIT, _CLASSIC, _PODMAN], ids=["buildkit", "classic", "podman"])
def test_a_failing_step_is_named_by_its_line_with_what_it_said(output: str) -> None:
    step, lines = _read(output).failure(_DOCKERFILE, "Dockerfile")
    assert step == "`Dockerfile:8 RUN echo hello; echo err >&2; exit 4`"
    assert lines == ("hello", "err")


def test_a_step_that_the_dockerfile_words_differently_is_named_by_its_number() -> None:
    step, _ = _read(_BUILDKIT).failure("FROM x", "Dockerfile")
    assert step == "step 3/3 `RUN echo hello; echo err >&2; exit 4`"


def test_the_step_under_way_is_the_last_one_that_began() -> None:
    began = _BUILDKIT.splitlines()[:6]
    assert _read("\n".join(began)).step == "step 2/2 `RUN echo one && echo two`"
    assert _read("\n".join(began)).last_lines() == ()
    assert _read("\n".join(_BUILDKIT.splitlines()[:8])).last_lines() == ("one", "two")
    assert _read(_CLASSIC).step == "step 2/2 `RUN echo hello; echo err >&2; exit 4`"
    assert _read("[2/2] STEP 3/4: RUN make").step == "step 3/4 `RUN make`"
    assert Progress().step is None


def test_a_step_without_output_is_explained_by_its_error() -> None:
    output = '#5 [2/2] COPY nope /\n#5 ERROR: "/nope" not found: not found\n'
    assert _read(output).failure("FROM x\nCOPY nope /", "Dockerfile") == (
        "`Dockerfile:2 COPY nope /`",
        ('"/nope" not found: not found',),
    )


@pytest.mark.parametrize(
    "said",
    [
        "failed to solve with frontend dockerfile.v0: dockerfile parse error line 2: unknown instruction: FRUN",
        "ERROR: failed to solve: dockerfile parse error on line 2: unknown instruction: FRUN",
        "Error response from daemon: dockerfile parse error line 2: unknown instruction: FRUN",
    ],
)
def test_a_dockerfile_that_does_not_parse_is_named_with_its_line(said: str) -> None:
    assert _read(said).failure("", "docker/web") == ("`docker/web:2`", ("unknown instruction: FRUN",))


def test_only_the_last_twenty_lines_are_kept_each_cut_and_without_control_characters() -> None:
    output = "#5 [1/1] RUN x\n" + "".join(f"#5 0.1 {n}\x07{'y' * 9000}\n" for n in range(50)) + "#5 ERROR: no\n"
    _, lines = _read(output).failure("", "Dockerfile")
    assert len(lines) == 20
    assert lines[0].startswith("30y")
    assert max(map(len, lines)) < 500


def test_a_step_can_not_leave_its_backticks() -> None:
    step = _read("#5 [1/1] RUN echo `date` **bold**\n").step
    assert step == "step 1/1 `RUN echo 'date' **bold**`"


def test_a_full_disk_is_noticed_in_whatever_line() -> None:
    assert _read("#5 [1/1] RUN x\n#5 0.1 write: No space left on device\n").disk_is_full
    assert not _read(_BUILDKIT).disk_is_full


def test_an_instruction_over_several_lines_is_found_where_it_begins() -> None:
    assert find_line(_DOCKERFILE, "RUN echo one && echo two") == 3
    assert find_line(_DOCKERFILE, "RUN echo three") is None
    assert find_line("", "FROM x") is None


_NO_BASE = """\
#2 [internal] load metadata for docker.io/library/nope:1
#2 ERROR: docker.io/library/nope:1: not found
------
 > [internal] load metadata for docker.io/library/nope:1:
------
Dockerfile:2
--------------------
   1 |     ARG BASE=nope:1
   2 | >>> FROM $BASE
   3 |     RUN true
--------------------
error: failed to solve: nope:1: failed to resolve source metadata for docker.io/library/nope:1: not found
"""


def test_an_instruction_with_a_variable_is_named_as_it_is_marked_in_the_dockerfile() -> None:
    assert _read(_NO_BASE).failure("ARG BASE=nope:1\nFROM $BASE\nRUN true\n", "docker/web") == (
        "`docker/web:2 FROM $BASE`",
        ("docker.io/library/nope:1: not found",),
    )


def test_the_error_that_a_command_ends_with_is_kept_whole_and_no_output_passes_for_it() -> None:
    long = "x" * 3000
    assert _read(f"{_NO_BASE}error: failed to push {long}: 401\n").error == f"failed to push {long}: 401"
    assert _read("#5 [1/1] RUN x\n#5 0.1 error: not this\n0.1 error: nor this\n").error is None


def test_an_error_that_goes_on_over_lines_is_read_whole_and_a_step_is_no_part_of_it() -> None:
    read = _read("error: failed to solve: errors:\nblob unknown: sha256:1\n#9 DONE 0.1s\nblob unknown: sha256:2\n")
    assert read.error == "failed to solve: errors: blob unknown: sha256:1 blob unknown: sha256:2"
