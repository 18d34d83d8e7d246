"""The source, on real repositories: fetched without leaking a token, given out clean, refused where it is hostile."""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from previewbot.adapters.git import GitSource, SourceLimits
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Repository
from previewbot.ports import Credential


@dataclass
class Origin:
    """A real repository that a test commits to."""

    folder: Path

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@test",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@test",
        }
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments], env=environment, input=stdin, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def commit(self) -> str:
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def commit_entry(self, mode: str, path: str, content: bytes) -> str:
        """Commit an entry that the working tree would not take."""
        blob = self.git("hash-object", "-w", "--stdin", stdin=content) if mode != "160000" else "1" * 40
        self.git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}")
        tree = self.git("write-tree")
        made = self.git("commit-tree", "-m", "x", tree)
        self.git("update-ref", "refs/heads/hostile", made)
        return made


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    folder = tmp_path / "origin"
    folder.mkdir()
    made = Origin(folder)
    made.git("init", "-q")
    made.git("config", "uploadpack.allowAnySHA1InWant", "true")
    (folder / "web").mkdir()
    (folder / "web" / "index.html").write_text("hello")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return made


def repository(origin: Origin) -> Repository:
    return Repository(7, "acme/shop", 1, f"file://{origin.folder}")


async def no_token(_: Repository) -> Credential:
    return Credential("unused")


@pytest.fixture
def source(tmp_path: Path) -> GitSource:
    return GitSource(tmp_path / "mirrors", no_token)


async def test_a_commit_is_read_and_given_out_clean(origin: Origin, source: GitSource) -> None:
    (origin.folder / "run.sh").write_text("#!/bin/sh\n")
    (origin.folder / "run.sh").chmod(0o755)
    commit, where = origin.commit(), repository(origin)
    await source.fetch(where, commit)
    assert await source.read(where, commit, "Dockerfile", limit=100) == b"FROM scratch\n"
    assert await source.read(where, commit, "missing", limit=100) is None
    assert await source.read(where, commit, "web", limit=100) is None
    async with source.checkout(where, commit) as tree:
        assert sorted(str(each.relative_to(tree)) for each in tree.rglob("*")) == [
            "Dockerfile",
            "run.sh",
            "web",
            "web/index.html",
        ]
        assert os.access(tree / "run.sh", os.X_OK)
        place = tree.parent
    assert not place.exists()


async def test_a_folders_name_is_its_content(origin: Origin, source: GitSource) -> None:
    where, first = repository(origin), origin.commit()
    (origin.folder / "Dockerfile").write_text("FROM other\n")
    second = origin.commit()
    for commit in (first, second):
        await source.fetch(where, commit)
    assert await source.tree(where, first, "web") == await source.tree(where, second, "web")
    assert await source.tree(where, first, ".") != await source.tree(where, second, ".")
    assert await source.tree(where, first, "missing") is None
    assert await source.tree(where, first, "Dockerfile") is None


async def test_a_commit_that_is_there_needs_no_network(origin: Origin, source: GitSource, tmp_path: Path) -> None:
    where, commit = repository(origin), origin.commit()
    await source.fetch(where, commit)
    origin.folder.rename(tmp_path / "away")
    again = GitSource(tmp_path / "mirrors", no_token)
    await again.fetch(where, commit)
    assert await again.read(where, commit, "Dockerfile", limit=100)


async def test_many_at_once_fetch_once_each(origin: Origin, source: GitSource) -> None:
    where, commits = repository(origin), [origin.commit() for _ in range(3)]
    await asyncio.gather(*(source.fetch(where, commit) for commit in commits * 4))
    for commit in commits:
        assert await source.tree(where, commit, ".")


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "web/../../outside", "loop/../.."])
async def test_a_symlink_that_leaves_the_tree_is_refused(origin: Origin, source: GitSource, target: str) -> None:
    (origin.folder / "loop").symlink_to("web/..")
    (origin.folder / "way-out").symlink_to(target)
    where, commit = repository(origin), origin.commit()
    with pytest.raises(Refused, match="`way-out` is a symbolic link that leaves the repository"):
        async with source.checkout(where, commit):
            pytest.fail("the tree was given out")


async def test_a_symlink_inside_the_tree_is_fine(origin: Origin, source: GitSource) -> None:
    (origin.folder / "web" / "same").symlink_to("../Dockerfile")
    where, commit = repository(origin), origin.commit()
    async with source.checkout(where, commit) as tree:
        assert (tree / "web" / "same").read_text() == "FROM scratch\n"


async def test_a_file_that_is_a_symlink_is_not_read(origin: Origin, source: GitSource) -> None:
    (origin.folder / "previewbot.yaml").symlink_to("/etc/passwd")
    where, commit = repository(origin), origin.commit()
    await source.fetch(where, commit)
    with pytest.raises(Refused, match="not a regular file"):
        await source.read(where, commit, "previewbot.yaml", limit=100)


async def test_a_submodule_is_refused(origin: Origin, source: GitSource) -> None:
    origin.commit()
    where, commit = repository(origin), origin.commit_entry("160000", "vendor/lib", b"")
    await source.fetch(where, commit)
    with pytest.raises(Refused, match="`vendor/lib` is a submodule"):
        await source.tree(where, commit, ".")


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (SourceLimits(files=1), "2 files; more than 1 are refused"),
        (SourceLimits(file_size=3), "is larger than"),
        (SourceLimits(total_size=3), "the commit is larger than"),
        (SourceLimits(path_length=5), "is longer than 5"),
    ],
)
async def test_absurd_sizes_are_refused(origin: Origin, tmp_path: Path, limits: SourceLimits, said: str) -> None:
    source = GitSource(tmp_path / "mirrors", no_token, limits=limits)
    where, commit = repository(origin), origin.commit()
    await source.fetch(where, commit)
    with pytest.raises(Refused, match=said):
        await source.read(where, commit, "Dockerfile", limit=100)


async def test_a_long_file_is_refused_where_a_short_one_is_wanted(origin: Origin, source: GitSource) -> None:
    where, commit = repository(origin), origin.commit()
    await source.fetch(where, commit)
    with pytest.raises(Refused, match="`Dockerfile` is larger than 0 KiB"):
        await source.read(where, commit, "Dockerfile", limit=3)


async def test_attributes_and_filters_of_the_commit_change_nothing(origin: Origin, source: GitSource) -> None:
    (origin.folder / ".gitattributes").write_text("web export-ignore\n* filter=evil\n")
    (origin.folder / ".gitmodules").write_text('[submodule "x"]\n path = x\n url = file:///etc\n')
    where, commit = repository(origin), origin.commit()
    async with source.checkout(where, commit) as tree:
        assert (tree / "web" / "index.html").read_text() == "hello"


async def test_odd_names_survive(origin: Origin, source: GitSource) -> None:
    name = "a\nb\t\"'é-\x7f"
    (origin.folder / name).write_text("x")
    (origin.folder / ("deep/" * 50)).mkdir(parents=True)
    (origin.folder / ("deep/" * 50) / "x").write_text("x")
    where, commit = repository(origin), origin.commit()
    async with source.checkout(where, commit) as tree:
        assert (tree / name).read_text() == "x"


async def test_a_commit_that_is_not_there_is_refused(origin: Origin, source: GitSource) -> None:
    origin.commit()
    with pytest.raises((Refused, Transient)):
        await source.fetch(repository(origin), "0" * 39 + "1")


@pytest.mark.parametrize("commit", ["", "main", "--upload-pack=touch /tmp/x", "HEAD", "A" * 40, "0" * 41])
async def test_only_names_of_commits_reach_git(origin: Origin, source: GitSource, commit: str) -> None:
    with pytest.raises(Refused, match="not the name of a commit"):
        await source.fetch(repository(origin), commit)


async def test_a_repository_that_is_away_is_transient(source: GitSource, tmp_path: Path) -> None:
    with pytest.raises(Transient, match="cannot be fetched"):
        await source.fetch(Repository(7, "a/b", 1, f"file://{tmp_path}/nowhere"), "1" * 40)


async def test_trees_left_by_a_killed_process_are_deleted_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "mirrors" / "trees" / "7-old").mkdir(parents=True)
    GitSource(tmp_path / "mirrors", no_token)
    assert not (tmp_path / "mirrors" / "trees" / "7-old").exists()


async def test_a_forgotten_repository_leaves_nothing(origin: Origin, source: GitSource, tmp_path: Path) -> None:
    where, commit = repository(origin), origin.commit()
    await source.fetch(where, commit)
    await source.forget(7)
    assert [each.name for each in (tmp_path / "mirrors").iterdir()] == ["trees"]


async def test_the_token_is_in_a_header_and_nowhere_else(tmp_path: Path) -> None:
    """It reaches the server, and neither git's arguments, the URL, the mirror, nor any error."""
    seen: list[tuple[str, str | None]] = []
    arguments: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("Authorization")))
            for folder in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    arguments.append(folder.read_bytes())
                except OSError:
                    continue
            self.send_response(403)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()

    async def token(_: Repository) -> Credential:
        return Credential("s3cret-token")

    try:
        source = GitSource(tmp_path / "mirrors", token)
        with pytest.raises(Transient) as caught:
            await source.fetch(Repository(7, "a/b", 1, f"http://127.0.0.1:{server.server_port}/a/b.git"), "1" * 40)
    finally:
        server.shutdown()
        server.server_close()
    assert seen
    assert seen[0][1] == "Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0LXRva2Vu"
    assert "s3cret" not in seen[0][0]
    needles = (b"s3cret", b"eC1hY2Nlc3MtdG9rZW46")
    assert not any(needle in each for needle in needles for each in arguments if b"git" in each)
    assert "s3cret" not in str(caught.value)
    kept = b"".join(each.read_bytes() for each in (tmp_path / "mirrors").rglob("*") if each.is_file())
    assert not any(needle in kept for needle in needles)
