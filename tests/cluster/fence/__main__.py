"""``python -m tests.cluster.fence NUMBER NFT``: keeps the rules of a box's network as the policies there want them.

It learns a pod's address from ``gate``, before the pod runs, and answers once the pod's rules are in force. It runs as
a child of itself: where it dies, the rules stay as they are, new pods wait, and the next one goes on from its notes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from socketserver import StreamRequestHandler, ThreadingMixIn, UnixStreamServer
from typing import Any, NoReturn

from tests.cluster.api import Api
from tests.cluster.box import Box
from tests.cluster.fence import table
from tests.cluster.fence.policies import World
from tests.cluster.fence.world import Cluster, Name

_PATIENCE = 30.0
"""Seconds that a pod waits for its rules."""
_ONCE = "--once"
_PAUSE = 0.2
"""Seconds until the next one is started."""


class Fence:
    """What puts rules in force, whenever the cluster or the pods' addresses change."""

    def __init__(self, box: Box, nft: str) -> None:
        self._box, self._nft = box, nft
        self._changed = threading.Condition()
        self._is_dirty = False
        self._notes = box.folder / "fence.json"
        self._addresses = self._recall()
        self._in_force: dict[str, Name] = {}
        """The addresses whose rules stand, and are not those of a world that may have changed unheard."""
        self._text = ""
        self._cluster = Cluster(Api(box), self._change)

    def run(self) -> None:
        """Keep the rules until the process is ended."""
        self._cluster.start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_dirty)
                self._is_dirty, addresses = False, dict(self._addresses)
            is_fresh, world = self._cluster.is_fresh, self._cluster.world(addresses)
            self._put_in_force(world)
            known = {pod.address for pod in world.pods} if is_fresh else set()
            with self._changed:
                self._in_force = {address: name for address, name in addresses.items() if address in known}
                self._changed.notify_all()

    def _put_in_force(self, world: World) -> None:
        text = table.render(world, self._box.pods)
        if text != self._text:
            # What the kernel does not take leaves the rules as they were, and new pods waiting.
            subprocess.run([self._nft, "-f", "-"], input=text, text=True, check=True)
            self._text = text

    def admit(self, address: str, pod: Name) -> bool:
        """Tell of a new pod; returns whether its rules are in force."""
        with self._changed:
            self._addresses[address] = pod
            self._write_down()
            self._is_dirty = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._in_force.get(address) == pod, _PATIENCE)

    def forget(self, address: str) -> None:
        """Tell that an address is nobody's any more."""
        with self._changed:
            self._addresses.pop(address, None)
            self._in_force.pop(address, None)
            self._write_down()
            self._is_dirty = True
            self._changed.notify_all()

    def _recall(self) -> dict[str, Name]:
        """Read which addresses the one before knew."""
        try:
            noted = json.loads(self._notes.read_text())
        except FileNotFoundError:
            return {}
        return {address: (namespace, pod) for address, (namespace, pod) in noted.items()}

    def _write_down(self) -> None:
        aside = self._notes.with_suffix(".new")
        aside.write_text(json.dumps(self._addresses))
        aside.rename(self._notes)

    def _change(self) -> None:
        with self._changed:
            self._is_dirty = True
            self._changed.notify_all()


class Door(ThreadingMixIn, UnixStreamServer):
    """Where ``gate`` asks: a line of JSON, answered by one."""

    daemon_threads = True

    def __init__(self, path: str, fence: Fence) -> None:
        super().__init__(path, Question)
        self.fence = fence


class Question(StreamRequestHandler):
    """One of them."""

    server: Door

    def handle(self) -> None:
        """Answer it; whoever asks nothing only looks whether somebody is there."""
        line = self.rfile.readline()
        if not line:
            return
        asked: dict[str, Any] = json.loads(line)
        if asked["command"] == "ADD":
            done = self.server.fence.admit(asked["address"], (asked["namespace"], asked["pod"]))
        else:
            self.server.fence.forget(asked["address"])
            done = True
        self.wfile.write(json.dumps(done).encode() + b"\n")


def main(number: str, nft: str, *how: str) -> None:
    """Keep the rules of a box until the process is ended, however often one that does dies."""
    if how != (_ONCE,):
        _go_on(number, nft)
    box = Box(int(number))
    fence = Fence(box, nft)
    box.fence.unlink(missing_ok=True)
    door = Door(str(box.fence), fence)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    fence.run()


def _go_on(number: str, nft: str) -> NoReturn:
    """Start one after the other; what is started dies with us."""
    leash = ("setpriv", "--pdeathsig", "KILL", "--")
    while True:
        done = subprocess.run([*leash, sys.executable, "-m", "tests.cluster.fence", number, nft, _ONCE], check=False)
        print(f"the fence ended ({done.returncode}); it is started again", flush=True)
        time.sleep(_PAUSE)


if __name__ == "__main__":
    main(*sys.argv[1:])
