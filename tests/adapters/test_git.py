"""The source on real git: no token leaks, what is hostile is refused, and what a killed process left does no harm."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from previewbot.adapters.git import GitSource, SourceLimits
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Repository
from previewbot.ports import Credential
from tests.fixtures.repositories import Origin

FILES = {"Dockerfile": b"FROM scratch\n", "web/index.html": b"hello"}
TOKEN = "s3cret-token"
HEADER = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


async def token(_: Repository) -> Credential:
    return Credential(TOKEN)


@pytest.fixture
def mirrors(tmp_path: Path) -> Path:
    return tmp_path / "mirrors"


@pytest.fixture
def source(mirrors: Path) -> GitSource:
    return GitSource(mirrors, token)


async def written(source: GitSource, origin: Origin, commit: str) -> dict[str, bytes]:
    """What a checkout holds, by path."""
    async with source.checkout(origin.repository, commit) as folder:
        return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


# --- the cache ------------------------------------------------------------------------------------------------------


async def test_a_commit_that_is_there_needs_no_network(origin: Origin, source: GitSource, mirrors: Path) -> None:
    commit = origin.push(FILES)
    await source.fetch(origin.repository, commit)
    origin.folder.rename(origin.folder.with_name("away"))
    again = GitSource(mirrors, token)
    await again.fetch(origin.repository, commit)
    assert await written(again, origin, commit) == FILES


async def test_a_commit_comes_without_its_history(origin: Origin, source: GitSource, mirrors: Path) -> None:
    first = origin.push(FILES)
    second = origin.git("commit-tree", "-m", "x", "-p", first, f"{first}^{{tree}}")
    origin.git("update-ref", "refs/heads/second", second)
    await source.fetch(origin.repository, second)
    assert not _has(mirrors / "7.git", first)
    assert _has(mirrors / "7.git", second)


def _has(folder: Path, commit: str) -> bool:
    asked = ["git", f"--git-dir={folder}", "cat-file", "-e", commit]
    return subprocess.run(asked, check=False, capture_output=True).returncode == 0


async def test_many_at_once_are_all_served(origin: Origin, source: GitSource) -> None:
    commits = [origin.push(FILES | {"n": b"%d" % number}) for number in range(3)]
    await asyncio.gather(*(source.fetch(origin.repository, commit) for commit in commits * 4))
    found = await asyncio.gather(*(written(source, origin, commit) for commit in commits * 2))
    assert [each["n"] for each in found] == [b"0", b"1", b"2"] * 2


async def test_a_repository_that_is_away_is_tried_again(origin: Origin, source: GitSource) -> None:
    commit = origin.push(FILES)
    origin.folder.rename(origin.folder.with_name("away"))
    with pytest.raises(Transient, match="cannot be fetched"):
        await source.fetch(origin.repository, commit)
    origin.folder.with_name("away").rename(origin.folder)
    await source.fetch(origin.repository, commit)


@pytest.mark.parametrize("left", ["shallow.lock", "objects/pack/tmp_pack_x", "refs/previewbot/x.lock"])
async def test_what_a_killed_process_left_is_deleted_at_the_start(
    origin: Origin, source: GitSource, mirrors: Path, left: str
) -> None:
    old, new = origin.push(FILES), origin.push(FILES | {"new": b""})
    await source.fetch(origin.repository, old)
    (mirrors / "7.git" / left).touch()
    (mirrors / "trees" / "7-old").mkdir()
    again = GitSource(mirrors, token)
    assert list((mirrors / "trees").iterdir()) == []
    await again.fetch(origin.repository, new)
    assert not (mirrors / "7.git" / left).exists()


async def test_a_mirror_that_was_half_made_is_made_anew(origin: Origin, mirrors: Path) -> None:
    (mirrors / "7.git").mkdir(parents=True)
    (mirrors / "7.git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert await written(GitSource(mirrors, token), origin, origin.push(FILES)) == FILES


async def test_a_damaged_mirror_mends_itself(origin: Origin, source: GitSource, mirrors: Path) -> None:
    commit = origin.push(FILES)
    await source.fetch(origin.repository, commit)
    for pack in (mirrors / "7.git" / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(b"PACK" + b"\0" * 100)
    with pytest.raises(Transient):
        await written(source, origin, commit)
    assert await written(source, origin, commit) == FILES


async def test_a_worn_mirror_is_replaced(
    origin: Origin, source: GitSource, mirrors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("previewbot.adapters.git.mirror._MOST_PACKS", 2)
    commits = [origin.push(FILES | {"n": b"%d" % number}) for number in range(5)]
    for commit in commits:
        await source.fetch(origin.repository, commit)
    assert len(list((mirrors / "7.git" / "objects" / "pack").glob("*.pack"))) <= 3
    assert (await written(source, origin, commits[0]))["n"] == b"0"


# --- clean trees ----------------------------------------------------------------------------------------------------


async def test_files_come_out_byte_for_byte_with_their_mode(origin: Origin, source: GitSource) -> None:
    """Whatever the commit's attributes wish: no line ending, keyword, encoding, filter or export rule is obeyed."""
    rules = (
        b"* text=auto eol=crlf ident filter=lfs working-tree-encoding=UTF-16\nweb export-ignore\n*.sh export-subst\n"
    )
    files = FILES | {".gitattributes": rules, "a.txt": b"one\n$Id$\n", "b.txt": b"one\r\n", "c.sh": b"$Format:%H$\n"}
    commit = origin.push(files | {"run": ("100755", b"#!/bin/sh\n")})
    async with source.checkout(origin.repository, commit) as folder:
        assert {name: (folder / name).read_bytes() for name in files} == files
        assert os.access(folder / "run", os.X_OK)
        assert not os.access(folder / "a.txt", os.X_OK)
        assert not (folder / ".git").exists()


async def test_odd_names_survive(origin: Origin, source: GitSource) -> None:
    names = ["a\nb\t\"'é-\x7f", "back\\slash", "-rf", ":(top)", "*", "CON", "deep/" * 60 + "x", "é" * 127]
    files = dict.fromkeys(names, b"x") | {os.fsdecode(b"\xff\xfe"): b"x"}
    assert await written(source, origin, origin.push(files)) == files


async def test_a_symlink_out_through_another_symlink_is_refused(origin: Origin, source: GitSource) -> None:
    commit = origin.push(FILES | {"a/b/up": ("120000", b"../.."), "out": ("120000", b"a/b/up/../x")})
    with pytest.raises(Refused, match="`out` is a symbolic link that leaves the repository"):
        await written(source, origin, commit)


async def test_a_circle_of_symlinks_does_no_harm(origin: Origin, source: GitSource) -> None:
    commit = origin.push(FILES | {"a": ("120000", b"b"), "b": ("120000", b"a"), "c": ("120000", b"c/d")})
    assert await written(source, origin, commit) == FILES


# --- hostile trees --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b".git", b".GIT", b"git~1", b"..", b".", b"a/b"])
async def test_names_that_git_forbids_are_refused(origin: Origin, source: GitSource, name: bytes) -> None:
    inner = origin.tree({b"config": ("100644", origin.blob(b"[core]\n"))})
    commit = origin.commit(origin.tree({name: ("40000", inner)}))
    with pytest.raises(Refused, match="damaged or hostile"):
        await source.fetch(origin.repository, commit)


async def test_a_file_and_a_symlink_of_the_same_name_are_refused(origin: Origin, source: GitSource) -> None:
    """The old trick to write through a link: fsck sees the duplicate."""
    blob = origin.blob(b"x")
    inner = origin.tree({b"x": ("100644", blob)})
    rows = b"120000 a\0" + bytes.fromhex(origin.blob(b"/tmp")) + b"40000 a\0" + bytes.fromhex(inner)
    tree = origin.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=rows)
    with pytest.raises(Refused, match="damaged or hostile"):
        await source.fetch(origin.repository, origin.commit(tree))


async def test_a_bomb_of_folders_is_refused_quickly(origin: Origin, source: GitSource) -> None:
    """Ten folders in ten folders, twelve deep, all the same objects: a few bytes that list as a trillion files."""
    tree, mode = origin.blob(b"x"), "100644"
    for _ in range(12):
        tree, mode = origin.tree({b"d%d" % number: (mode, tree) for number in range(10)}), "40000"
    commit = origin.commit(tree)
    await source.fetch(origin.repository, commit)
    with pytest.raises(Refused, match="far more than 50,000 files"):
        await source.tree(origin.repository, commit, ".")


async def test_a_name_that_no_file_system_holds_is_refused(origin: Origin, source: GitSource) -> None:
    commit = origin.push({"a/" + "n" * 256: b""})
    await source.fetch(origin.repository, commit)
    with pytest.raises(Refused, match="is longer than 255 bytes"):
        await source.tree(origin.repository, commit, ".")


@pytest.mark.parametrize("path", ["n" * 4000, "d/" * 2000 + "x"], ids=["long", "deep"])
async def test_absurd_paths_are_refused(origin: Origin, source: GitSource, path: str) -> None:
    made, mode = origin.blob(b""), "100644"
    for name in reversed(path.split("/")):
        made, mode = origin.tree({name.encode(): (mode, made)}), "40000"
    commit = origin.commit(made)
    with pytest.raises(Refused) as caught:
        await written(source, origin, commit)
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (SourceLimits(files=1), "2 files; more than 1 are refused"),
        (SourceLimits(file_size=3), "is larger than"),
        (SourceLimits(total_size=3), "the commit is larger than"),
        (SourceLimits(path_length=5), "is longer than 5"),
    ],
)
async def test_absurd_sizes_are_refused(origin: Origin, mirrors: Path, limits: SourceLimits, said: str) -> None:
    source, commit = GitSource(mirrors, token, limits=limits), origin.push(FILES)
    await source.fetch(origin.repository, commit)
    with pytest.raises(Refused, match=said):
        await source.read(origin.repository, commit, "Dockerfile", limit=100)
    with pytest.raises(Refused, match=said):
        await written(source, origin, commit)


_NOISE = os.urandom(2**24 + 2**20)
"""More than a fetch may write in any case, and not to be compressed."""


@pytest.mark.slow
async def test_a_fetch_that_would_fill_the_disk_is_refused(origin: Origin, mirrors: Path) -> None:
    source, commit = GitSource(mirrors, token, limits=SourceLimits(total_size=1)), origin.push({"a": _NOISE})
    with pytest.raises(Refused, match="too large to be fetched"):
        await source.fetch(origin.repository, commit)


async def test_a_tag_or_a_file_is_no_commit(origin: Origin, source: GitSource) -> None:
    origin.git("tag", "file", origin.blob(b"x"))
    with pytest.raises(Refused, match="is not a commit"):
        await source.fetch(origin.repository, origin.blob(b"x"))


# --- over HTTP ------------------------------------------------------------------------------------------------------


@dataclass
class Server:
    """Git over HTTP as GitHub has it: everything needs the token. ``status`` answers everything with a fault."""

    origin: Origin
    port: int = 0
    status: int = 0
    location: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    processes: list[bytes] = field(default_factory=list)
    """The arguments of every git process that ran while a request was answered."""

    @property
    def repository(self) -> Repository:
        return replace(self.origin.repository, clone_url=f"http://127.0.0.1:{self.port}/origin.git")

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.path, request.headers.get("Authorization")))
        self.processes += _processes()
        if self.status or request.headers.get("Authorization") != HEADER:
            request.send_response(self.status or 401)
            request.send_header("Location", self.location)
            request.send_header("WWW-Authenticate", 'Basic realm="GitHub"')
            request.send_header("Content-Length", "0")
            request.end_headers()
        else:
            self._serve(request)

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        length = request.headers.get("Content-Length", "0")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.origin.folder.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": request.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": length,
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        }
        body = request.rfile.read(int(length))
        done = subprocess.run(["git", "http-backend"], env=environment, input=body, check=True, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        request.wfile.write(b"HTTP/1.0 200 OK\r\n" + head + b"\r\n\r\n" + content)


def _processes() -> Iterator[bytes]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if arguments.startswith(b"git") or b"/git" in arguments.split(b"\0")[0]:
            yield arguments


@pytest.fixture
def server(origin: Origin) -> Iterator[Server]:
    made = Server(origin)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        def do_POST(self) -> None:
            made.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        made.port = listening.server_port
        thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        listening.shutdown()
        thread.join()


async def test_a_commit_is_fetched_with_the_token_in_a_header_and_nowhere_else(
    server: Server, source: GitSource, mirrors: Path
) -> None:
    """Not in git's arguments, the URL or the mirror; what the server saw of both was this fetch."""
    commit = server.origin.push(FILES)
    async with source.checkout(server.repository, commit) as folder:
        assert (folder / "web/index.html").read_bytes() == b"hello"
    assert len(server.asked) >= 2
    assert all(header == HEADER for _, header in server.asked)
    assert any(b"fetch" in each for each in server.processes)
    kept = [each.read_bytes() for each in mirrors.rglob("*") if each.is_file()]
    for needle in (TOKEN.encode(), HEADER.removeprefix("Basic ").encode()):
        assert not any(needle in each for each in (*server.processes, *kept))
        assert not any(needle.decode() in path for path, _ in server.asked)


@pytest.mark.parametrize("status", [401, 500, 502, 429])
async def test_a_server_that_is_unwell_is_asked_again(server: Server, source: GitSource, status: int) -> None:
    server.status, commit = status, server.origin.push(FILES)
    with pytest.raises(Transient, match="cannot be fetched") as caught:
        await source.fetch(server.repository, commit)
    assert TOKEN not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    server.status = 0
    await source.fetch(server.repository, commit)


@pytest.mark.parametrize("status", [403, 404])
async def test_code_that_may_not_be_read_is_refused(server: Server, source: GitSource, status: int) -> None:
    server.status = status
    with pytest.raises(Refused, match="the App needs `contents: read`"):
        await source.fetch(server.repository, server.origin.push(FILES))


async def test_no_redirect_gets_the_token(server: Server, source: GitSource, tmp_path: Path) -> None:
    server.status, server.location = 301, f"http://localhost:{server.port}/elsewhere.git/info/refs"
    with pytest.raises(Transient):
        await source.fetch(server.repository, server.origin.push(FILES))
    assert [path for path, _ in server.asked] == ["/origin.git/info/refs?service=git-upload-pack"]


@pytest.mark.parametrize("url", ["ext::sh -c touch% {}", "ssh://127.0.0.1/x", "git://127.0.0.1/x", "-u", "{}"])
async def test_no_other_way_to_a_repository_is_taken(
    origin: Origin, source: GitSource, tmp_path: Path, url: str
) -> None:
    sign = tmp_path / "sign"
    with pytest.raises(Transient):
        await source.fetch(replace(origin.repository, clone_url=url.format(sign)), "1" * 40)
    assert not sign.exists()
