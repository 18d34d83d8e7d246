"""What was built and released, and which images are still wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, select

from previewbot.adapters.store import tables
from previewbot.adapters.store.codec import clean, decode, encode
from previewbot.adapters.store.database import Database, Insert
from previewbot.adapters.store.whole import whole
from previewbot.core.ids import Key
from previewbot.core.model import BuildRecord, BuildState, ReleaseRecord

# Built once: building a statement anew costs about as much as running it.
_RANKED = select(
    tables.builds.c.log,
    tables.builds.c.body,
    func.row_number()
    .over(
        partition_by=tables.builds.c.image,
        order_by=(tables.builds.c.started_at.desc(), tables.builds.c.log.desc()),
    )
    .label("age"),
).where(tables.builds.c.image.in_(bindparam("images", expanding=True)))
_NEWEST = select((_newest := _RANKED.subquery()).c.log, _newest.c.body).where(_newest.c.age == 1)
_BODY_TO_CHANGE = select(tables.builds.c.body).where(tables.builds.c.log == bindparam("log")).with_for_update()
_RELEASES = (
    select(tables.releases.c.revision, tables.releases.c.body)
    .where(tables.releases.c.key == bindparam("key"))
    .order_by(tables.releases.c.started_at.desc(), tables.releases.c.revision)
)


class SqlHistory:
    """Builds, releases and images."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._begin_build = database.insert(tables.builds).on_conflict_do_nothing()
        self._save_build = database.replace(tables.builds)
        self._save_release = database.replace(tables.releases)
        self._use_image = _using(database.insert(tables.images))

    @whole
    async def builds(self, images: Collection[str]) -> Mapping[str, BuildRecord]:
        """Find the newest build of each image."""
        wanted = {"images": [clean(each) for each in images]}
        found = await self._database.read(lambda connection: connection.execute(_NEWEST, wanted).all())
        read = (decode(BuildRecord, row.body, row=row.log) for row in found)
        return {build.image: build for build in read if build is not None}

    @whole
    async def find_log(self, log: str) -> BuildRecord | None:
        """Find the build that writes a log of this name."""
        query = select(tables.builds.c.body).where(tables.builds.c.log == clean(log))
        body = await self._database.read(lambda connection: connection.scalar(query))
        return None if body is None else decode(BuildRecord, body, row=log)

    @whole
    async def save_build(self, build: BuildRecord) -> None:
        """Write a build; its ``log`` is its identity. One that is over stays over, whoever tells late that it runs."""
        row = {
            "log": clean(build.log),
            "image": clean(build.image),
            "key": str(build.key),
            "started_at": build.started_at,
            "body": encode(build),
        }

        def work(connection: Connection) -> None:
            if build.state is BuildState.RUNNING:
                connection.execute(self._begin_build, row)
                if _is_over(connection, clean(build.log)):
                    return
            connection.execute(self._save_build, row)

        await self._database.write(work)

    @whole
    async def releases(self, key: Key) -> Sequence[ReleaseRecord]:
        """List the releases of an environment, newest first."""
        found = await self._database.read(lambda connection: connection.execute(_RELEASES, {"key": str(key)}).all())
        read = (decode(ReleaseRecord, row.body, row=f"{key} {row.revision}") for row in found)
        return tuple(release for release in read if release is not None)

    @whole
    async def save_release(self, release: ReleaseRecord) -> None:
        """Write a release; key and revision are its identity."""
        row = {
            "key": str(release.key),
            "revision": clean(release.revision),
            "started_at": release.started_at,
            "body": encode(release),
        }
        await self._database.write(lambda connection: connection.execute(self._save_release, row))

    @whole
    async def use_images(self, images: Collection[str], at: datetime) -> None:
        """Note that images were wanted at a time."""
        if not images:
            return
        rows = [{"image": image, "wanted_at": at} for image in sorted({clean(each) for each in images})]
        await self._database.write(lambda connection: connection.execute(self._use_image, rows))

    @whole
    async def unused_images(self, before: datetime) -> Sequence[str]:
        """List the images that nobody wanted since then."""
        rows = tables.images.c
        query = select(rows.image).where(rows.wanted_at < before).order_by(rows.wanted_at, rows.image)
        return tuple(await self._database.read(lambda connection: connection.scalars(query).all()))

    @whole
    async def forget_images(self, images: Collection[str], before: datetime) -> None:
        """Forget images that are gone, but for those that somebody wanted since then."""
        if not images:
            return
        rows = tables.images.c
        gone = delete(tables.images).where(rows.image == bindparam("gone"), rows.wanted_at < before)
        names = [{"gone": image} for image in sorted({clean(each) for each in images})]
        await self._database.write(lambda connection: connection.execute(gone, names))


def _using(insert: Insert) -> Insert:
    """Let an insert of an image move the time when it was wanted, but never back."""
    new = insert.excluded.wanted_at
    return insert.on_conflict_do_update(
        index_elements=["image"], set_={"wanted_at": new}, where=new > tables.images.c.wanted_at
    )


def _is_over(connection: Connection, log: str) -> bool:
    """Whether a build that is there has ended; nobody else changes its row before this transaction ends."""
    body = connection.scalar(_BODY_TO_CHANGE, {"log": log})
    known = decode(BuildRecord, str(body), row=log)
    return known is not None and known.state is not BuildState.RUNNING
