"""What `previewbot serve` holds in memory while nothing happens: nothing that it needs once, elsewhere or never."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from previewbot.demo.stage import free_port

CONFIG = """\
github: {{app_id: 1, private_key_file: key.pem, webhook_secret_files: [secret]}}
storage: {{folder: state}}
server: {{port: {port}}}
docker: {{host: "unix:///nowhere/docker.sock"}}
caddy: {{admin: "http://127.0.0.1:1"}}
"""

SERVING = """
import json, os, signal, sys, threading, time, urllib.request
from pathlib import Path
from previewbot.__main__ import cli

def look(port):
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
            break
        except OSError:
            time.sleep(0.1)
    time.sleep(1)  # until what begins with it has begun
    print(json.dumps(sorted(sys.modules)), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=look, args=(int(sys.argv.pop(1)),), daemon=True).start()
cli()
"""

ELSEWHERE = {
    *("kubernetes", "boto3", "botocore", "aiohttp"),
    *("psycopg", "sqlalchemy.dialects.postgresql", "sqlalchemy.ext.asyncio"),
}
"""Clients of what this configuration does not use."""
ONCE = {"alembic", "mako"}
"""What a first start needs, which this is."""
NEVER = {"rich", "pygments", "websockets", "previewbot.demo", "previewbot.cli.doctor", "pytest"}


async def loaded(folder: Path) -> set[str]:
    """Every module of a process that serves for the first time."""
    port = free_port(0)
    (folder / "c.yaml").write_text(CONFIG.format(port=port))
    (folder / "key.pem").write_text("no key: nobody asks GitHub anything here")
    (folder / "secret").write_text("s")
    command = [sys.executable, "-c", SERVING, str(port), "serve", "--config", "c.yaml"]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "worker died" not in done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.slow
async def test_a_first_start_on_one_machine_loads_nothing_that_it_could_do_without(tmp_path: Path) -> None:
    modules = await loaded(tmp_path)
    assert {"previewbot.places.docker", "previewbot.engine.worker", "sqlite3", "structlog", "httpx"} <= modules
    assert not modules & (ELSEWHERE | ONCE | NEVER)
