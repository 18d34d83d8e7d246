"""``buildctl`` on a real BuildKit and real registries: what goes in, and what comes out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from previewbot.adapters.buildkit import BuildKitBuilder, Cache, Kit, Limits
from previewbot.core.model import BuildRecord, BuildState, ImageOrder
from tests.contract.test_builder import LOG, MOUNTING, Told
from tests.fixtures.buildkit import Cluster, MakeBuildKit, running_buildkit
from tests.fixtures.engine import BASE, FolderLogs, FolderSource, order
from tests.fixtures.registry import GuardedRegistry, RunningRegistry, push
from tests.fixtures.traces import where

pytestmark = pytest.mark.cluster


async def _build(builder: BuildKitBuilder, wanted: ImageOrder) -> BuildRecord:
    told = Told()
    await builder.start(wanted, log=LOG, finished=told)
    return await told.only()


async def _until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.02)


async def _config(builder: BuildKitBuilder, record: BuildRecord) -> Mapping[str, Any]:
    """The configuration of the image that a build made, with its layers."""
    stock = builder._stock
    repository = stock.names.repository
    digest = (record.digest or "").rpartition("@")[2]
    manifest = await stock.registry._json(f"{repository}/manifests/{digest}", repository, digest)
    assert manifest
    config = await stock.registry._config_of(repository, manifest)
    assert config
    return {**config["config"], "layers": config["rootfs"]["diff_ids"], "mediaType": manifest["mediaType"]}


def _processes(*texts: str) -> list[str]:
    """Command lines of running processes that hold all these texts."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if all(text in line for text in texts) and str(os.getpid()) != path.parent.name:
            found.append(line)
    return found


# --- what goes in and what comes out ----------------------------------------------------------------------------------


async def test_of_a_secret_that_a_step_mounts_nothing_is_in_the_registry_or_the_log(
    buildkit_builder: BuildKitBuilder, source: FolderSource, password_registry: RunningRegistry, tmp_path: Path
) -> None:
    """Layers, manifests, configurations, attestations and the cache are all in the registry."""
    source.commits, told = {"c1": {"Dockerfile": MOUNTING}}, Told()
    secret = "hunter2$(id)hunter2"
    await buildkit_builder.start(order("image-1", "c1"), log=LOG, finished=told, secrets={"TOKEN": secret})
    record = await told.only()
    assert record.state is BuildState.SUCCEEDED, record.lines
    files = [each for each in password_registry.folder.rglob("*") if each.is_file()]
    left = {str(each.relative_to(password_registry.folder)): each.read_bytes() for each in files}
    assert where("it is written down", among=left), "what is in a layer would be found"
    left |= {"record": repr(record).encode(), "log": (tmp_path / f"{LOG}.log").read_bytes()}
    assert where("--mount=type=secret", among=left), "and what is in a history"
    assert where(secret, among=left) == []
    assert "•••" in left["log"].decode()


async def test_context_dockerfile_target_and_arguments_are_what_the_blueprint_says(
    buildkit_builder: BuildKitBuilder, source: FolderSource, instance: str, password_registry: RunningRegistry
) -> None:
    dockerfile = (
        f"FROM {BASE} AS one\nARG A\nCOPY . /app\nLABEL a=$A\nRUN test ! -e /app/x\nFROM one AS two\nRUN exit 1\n"
    )
    files = {"docker/Dev": dockerfile, "docker/Dev.dockerignore": "x\n", "file": "text", "x": "x"}
    source.commits = {"c1": {f"services/web/{name}": text for name, text in files.items()}}
    wanted = order(
        "image-1", "c1", context="services/web", dockerfile="docker/Dev", target="one", args={"A": "b, $c; `d`=e"}
    )
    record = await _build(buildkit_builder, wanted)
    assert record.state is BuildState.SUCCEEDED, record.lines
    assert (record.digest or "").startswith(f"{password_registry.host}/previews/{instance}@sha256:")
    config = await _config(buildkit_builder, record)
    assert config["Labels"] == {
        "a": "b, $c; `d`=e",
        "previewbot.instance": instance,
        "previewbot.image": "image-1",
    }


async def test_an_image_is_one_plain_manifest_without_attestations(
    buildkit_builder: BuildKitBuilder, source: FolderSource
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nUSER 1000:7\n"}}
    record = await _build(buildkit_builder, order("image-1", "c1"))
    assert ".image.manifest." in (await _config(buildkit_builder, record))["mediaType"]
    assert await buildkit_builder.user_of(record.digest or "") == "1000:7"


async def test_a_commit_cannot_claim_to_be_another_image(
    buildkit_builder: BuildKitBuilder, source: FolderSource
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nLABEL previewbot.image=image-2 previewbot.instance=x\n"}}
    record = await _build(buildkit_builder, order("image-1", "c1"))
    assert await buildkit_builder.locate(["image-1", "image-2"]) == {"image-1": record.digest}


async def test_two_images_of_the_same_content_are_deleted_one_by_one(
    buildkit_builder: BuildKitBuilder, source: FolderSource
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nENV A=b\n"}}
    first = await _build(buildkit_builder, order("image-1", "c1"))
    second = await _build(buildkit_builder, order("image-2", "c1"))
    assert first.digest != second.digest
    await buildkit_builder.discard("image-1")
    assert await buildkit_builder.locate(["image-1", "image-2"]) == {"image-2": second.digest}


async def test_an_image_in_use_is_neither_discarded_nor_lost(
    buildkit_builder: BuildKitBuilder, source: FolderSource, running_images: Cluster
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nENV A=b\n"}}
    digest = (await _build(buildkit_builder, order("image-1", "c1"))).digest or ""
    running_images.references = {digest, "redis:7"}
    assert [each.in_use for each in await buildkit_builder.images()] == [True]
    await buildkit_builder.discard("image-1")
    assert await buildkit_builder.locate(["image-1"]) == {"image-1": digest}
    running_images.references = set()
    await buildkit_builder.discard("image-1")
    assert not await buildkit_builder.images()


async def test_an_image_that_somebody_else_pushed_there_is_neither_run_nor_deleted(
    buildkit_builder: BuildKitBuilder,
) -> None:
    stock = buildkit_builder._stock
    labels = {"previewbot.instance": stock.names.instance, "previewbot.image": "image-2"}
    digest = await push(stock.registry, stock.names.repository, "image-1", {"config": {"Labels": labels}})
    assert await buildkit_builder.locate(["image-1"]) == {}
    assert not await buildkit_builder.images()
    await buildkit_builder.discard("image-1")
    assert await stock.registry.digest(stock.names.repository, "image-1") == digest


async def test_a_fresh_build_runs_every_step_again(buildkit_builder: BuildKitBuilder, source: FolderSource) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN cat /proc/sys/kernel/random/uuid > /id\n"}}
    layers = []
    for image, fresh in (("image-1", False), ("image-2", False), ("image-3", True)):
        record = await _build(buildkit_builder, replace(order(image, "c1"), fresh=fresh))
        layers.append((await _config(buildkit_builder, record))["layers"][-1])
    assert layers[0] == layers[1] != layers[2]


@pytest.mark.parametrize("cache", [Cache.REGISTRY, Cache.INLINE])
async def test_a_buildkit_that_lost_its_disk_finds_the_layers_in_the_registry(
    *,
    cache: Cache,
    make_buildkit_builder: MakeBuildKit,
    source: FolderSource,
    buildctl: str,
    base_registry: RunningRegistry,
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN cat /proc/sys/kernel/random/uuid > /id\n"}}
    layers = []
    for image in ("image-1", "image-2"):
        with running_buildkit(base_registry.host) as fresh:
            builder = make_buildkit_builder(kit=Kit(fresh.address, buildctl), limits=Limits(cache=cache))
            record = await _build(builder, order(image, "c1"))
            layers.append((await _config(builder, record))["layers"][-1])
    assert layers[0] == layers[1]
    assert [each.image for each in await builder.images()] == ["image-1", "image-2"]


async def test_without_a_cache_only_images_are_pushed(
    make_buildkit_builder: MakeBuildKit, source: FolderSource, tmp_path: Path
) -> None:
    builder = make_buildkit_builder(limits=Limits(cache=Cache.NONE))
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN true\n"}}
    await _build(builder, order("image-1", "c1"))
    assert await builder._stock.registry.tags(builder._stock.names.repository) == ["image-1"]
    assert "cache" not in FolderLogs(tmp_path).path(LOG).read_text()


async def test_a_token_servers_registry_is_pushed_to_as_well(
    make_buildkit_builder: MakeBuildKit, source: FolderSource, token_registry: GuardedRegistry
) -> None:
    builder = make_buildkit_builder(host=token_registry.host)
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nRUN true\n"}}
    record = await _build(builder, order("image-1", "c1"))
    assert await builder.locate(["image-1"]) == {"image-1": record.digest}
