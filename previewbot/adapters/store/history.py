"""What was built and released, and which images are still wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from previewbot.adapters.store import tables
from previewbot.adapters.store.codec import clean, decode, encode
from previewbot.adapters.store.database import Database
from previewbot.adapters.store.whole import whole
from previewbot.core.ids import Key
from previewbot.core.model import BuildRecord, BuildState, ReleaseRecord


class SqlHistory:
    """Builds, releases and images."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @whole
    async def builds(self, images: Collection[str]) -> Mapping[str, BuildRecord]:
        """Find the newest build of each image."""
        rows = tables.builds.c
        age = func.row_number().over(partition_by=rows.image, order_by=(rows.started_at.desc(), rows.log.desc()))
        ranked = select(rows.log, rows.body, age.label("age")).where(rows.image.in_([clean(each) for each in images]))
        newest = ranked.subquery()
        async with self._database.reading() as connection:
            found = (await connection.execute(select(newest).where(newest.c.age == 1))).all()
        read = (decode(BuildRecord, row.body, row=row.log) for row in found)
        return {build.image: build for build in read if build is not None}

    @whole
    async def find_log(self, log: str) -> BuildRecord | None:
        """Find the build that writes a log of this name."""
        async with self._database.reading() as connection:
            body = await connection.scalar(select(tables.builds.c.body).where(tables.builds.c.log == clean(log)))
        return None if body is None else decode(BuildRecord, body, row=log)

    @whole
    async def save_build(self, build: BuildRecord) -> None:
        """Write a build; its ``log`` is its identity. One that is over stays over, whoever tells late that it runs."""
        facts = {
            "image": clean(build.image),
            "key": str(build.key),
            "started_at": build.started_at,
            "body": encode(build),
        }
        log = clean(build.log)
        insert = self._database.insert(tables.builds).values(log=log, **facts)
        async with self._database.writing() as connection:
            if build.state is BuildState.RUNNING:
                await connection.execute(insert.on_conflict_do_nothing())
                if await _is_over(connection, log):
                    return
            await connection.execute(insert.on_conflict_do_update(index_elements=["log"], set_=facts))

    @whole
    async def releases(self, key: Key) -> Sequence[ReleaseRecord]:
        """List the releases of an environment, newest first."""
        rows = tables.releases.c
        query = select(rows.revision, rows.body).where(rows.key == str(key))
        async with self._database.reading() as connection:
            found = (await connection.execute(query.order_by(rows.started_at.desc(), rows.revision))).all()
        read = (decode(ReleaseRecord, row.body, row=f"{key} {row.revision}") for row in found)
        return tuple(release for release in read if release is not None)

    @whole
    async def save_release(self, release: ReleaseRecord) -> None:
        """Write a release; key and revision are its identity."""
        facts = {"started_at": release.started_at, "body": encode(release)}
        names = {"key": str(release.key), "revision": clean(release.revision)}
        insert = self._database.insert(tables.releases).values(**names, **facts)
        async with self._database.writing() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=["key", "revision"], set_=facts))

    @whole
    async def use_images(self, images: Collection[str], at: datetime) -> None:
        """Note that images were wanted at a time."""
        if not images:
            return
        insert = self._database.insert(tables.images)
        later = insert.excluded.wanted_at > tables.images.c.wanted_at
        upsert = insert.on_conflict_do_update(
            index_elements=["image"], set_={"wanted_at": insert.excluded.wanted_at}, where=later
        )
        rows = [{"image": image, "wanted_at": at} for image in sorted({clean(each) for each in images})]
        async with self._database.writing() as connection:
            await connection.execute(upsert, rows)

    @whole
    async def unused_images(self, before: datetime) -> Sequence[str]:
        """List the images that nobody wanted since then."""
        rows = tables.images.c
        query = select(rows.image).where(rows.wanted_at < before).order_by(rows.wanted_at, rows.image)
        async with self._database.reading() as connection:
            return tuple((await connection.execute(query)).scalars())

    @whole
    async def forget_images(self, images: Collection[str], before: datetime) -> None:
        """Forget images that are gone, but for those that somebody wanted since then."""
        if not images:
            return
        rows = tables.images.c
        gone = delete(tables.images).where(rows.image == bindparam("gone"), rows.wanted_at < before)
        async with self._database.writing() as connection:
            await connection.execute(gone, [{"gone": image} for image in sorted({clean(each) for each in images})])


async def _is_over(connection: AsyncConnection, log: str) -> bool:
    """Whether a build that is there has ended; nobody else changes its row before this transaction ends."""
    row = tables.builds.c
    body = await connection.scalar(select(row.body).where(row.log == log).with_for_update())
    known = decode(BuildRecord, str(body), row=log)
    return known is not None and known.state is not BuildState.RUNNING
