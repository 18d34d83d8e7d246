"""The CNI plugin that is called last for each pod: it waits until the fence has put the pod's rules in force.

It is installed as a program of its own, and needs the standard library alone (CNI specification 0.4.0).
"""

import json
import os
import socket
import sys
import time

_PATIENCE = 35.0
"""Seconds for the answer, which is longer than the fence itself waits."""


def main() -> int:
    """Do what the environment says; returns the exit code."""
    command = os.environ["CNI_COMMAND"]
    if command == "VERSION":
        print(json.dumps({"cniVersion": "0.4.0", "supportedVersions": ["0.3.0", "0.3.1", "0.4.0"]}))
        return 0
    given = json.load(sys.stdin)
    found = given.get("prevResult") or {}
    try:
        if command in ("ADD", "DEL") and found.get("ips"):
            _tell(given["socket"], command, found["ips"][0]["address"].partition("/")[0])
    except (OSError, ValueError) as error:
        if command == "ADD":
            print(json.dumps({"cniVersion": given["cniVersion"], "code": 100, "msg": f"the fence: {error!r}"}))
            return 1
    if command == "ADD":
        print(json.dumps(found))
    return 0


def _tell(path: str, command: str, address: str) -> None:
    about = dict(each.split("=", 1) for each in os.environ["CNI_ARGS"].split(";"))
    asked = {
        "command": command,
        "address": address,
        "namespace": about["K8S_POD_NAMESPACE"],
        "pod": about["K8S_POD_NAME"],
    }
    # What is taken away does not wait for who may be gone.
    with _connect(path, 10 if command == "ADD" else 0) as connection:
        connection.sendall(json.dumps(asked).encode() + b"\n")
        if connection.makefile().readline().strip() != "true":
            raise OSError("the pod's rules are not in force")


def _connect(path: str, patience: float) -> socket.socket:
    """Wait for it so many seconds: it starts together with what starts pods."""
    until = time.monotonic() + patience
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            if time.monotonic() >= until:
                raise
            time.sleep(0.1)
        else:
            return connection


if __name__ == "__main__":
    sys.exit(main())
