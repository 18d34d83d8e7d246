"""A cluster comes up, all of it or nothing, and goes down without a trace, however it was left."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from previewbot.demo.leftovers import born
from previewbot.demo.machine import MachineError, Say
from tests.cluster import box as boxes
from tests.cluster.box import Box
from tests.cluster.state import FILE, Cluster, load


def up(state: Path, say: Say, *, dies_with_us: bool = False) -> Cluster:
    """Bring a cluster up and write its state into a folder, or find the one that is up there already."""
    if os.geteuid() != 0:
        raise MachineError("A cluster needs root: run it as root, or set PREVIEWBOT_TEST_KUBECONFIG.")
    clear_leftovers(say)
    if there := find(state):
        say("The cluster is up already")
        return load(there.folder)
    _refuse_two_at_once(state)
    from tests.cluster import rise, tools  # here, because taking a cluster down needs the standard library alone

    tools.ensure_packages(say)
    programs = tools.build(say) | tools.debians()
    started = time.monotonic()
    box = boxes.claim({"pid": os.getpid(), "born": born(os.getpid()), "state": str(state.absolute())})
    try:
        made = rise.Rise(box, programs, say).rise(tools.crds(), dies_with_us=dies_with_us)
        made.save(box.folder)
        _tell(state, box, made)
    except BaseException:
        boxes.remove(box)
        raise
    say(f"The cluster is up, after {time.monotonic() - started:.0f} s")
    return made


def down(state: Path, say: Say) -> None:
    """Take the cluster down whose state is in a folder, and whatever killed ones left on this machine."""
    if there := find(state):
        say(f"Taking cluster {there.number} down")
        boxes.remove(there)
    clear_leftovers(say)
    for name in (FILE, "kubeconfig"):
        (state / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        state.rmdir()


def down_all(say: Say) -> None:
    """Take down every cluster of this machine, whoever started it."""
    for each in boxes.boxes():
        say(f"Taking cluster {each.number} down")
        boxes.remove(each)


@contextlib.contextmanager
def pretended(say: Say) -> Iterator[Path]:
    """A control plane in which nothing runs, and which says that everything does; gives its kubeconfig.

    It goes down with the context, and its processes do even where this one is killed.
    """
    if os.geteuid() != 0:
        raise MachineError("A control plane in a box needs root.")
    clear_leftovers(say)
    from tests.cluster import rise, tools  # here, because taking a cluster down needs the standard library alone

    tools.ensure_packages(say)
    programs = tools.build(say, ("kubernetes", "kwok")) | tools.debians()
    box = boxes.claim({"pid": os.getpid(), "born": born(os.getpid())})
    try:
        yield rise.Rise(box, programs, say).pretend()
    finally:
        boxes.remove(box)


def clear_leftovers(say: Say) -> None:
    """Remove what killed runs left: those whose box is dead, and those that were never up and whose starter is dead."""
    for each in boxes.boxes():
        if not boxes.is_in_use(each):
            say(f"Removing what is left of cluster {each.number}")
            boxes.remove(each)
    boxes.remove_unclaimed()


def find(state: Path) -> Box | None:
    """The box that belongs to a folder of state, if it is up."""
    return next((each for each in _of(state) if boxes.is_up(each)), None)


def _of(state: Path) -> Iterator[Box]:
    return (each for each in boxes.boxes() if boxes.owner(each).get("state") == str(state.absolute()))


def _refuse_two_at_once(state: Path) -> None:
    for each in _of(state):
        raise MachineError(f"Process {boxes.owner(each)['pid']} is bringing this cluster up. Wait for it, or end it.")


def _tell(state: Path, box: Box, made: Cluster) -> None:
    state.mkdir(parents=True, exist_ok=True)
    shutil.copy(made.kubeconfig, state / "kubeconfig")
    made.save(state)
    (box.folder / "up").touch()
