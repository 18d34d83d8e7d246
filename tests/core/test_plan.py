"""Plans converge: from every state of the world to every wish, they settle, stay settled, and end right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise, product

import pytest

from previewbot.core import retry, stages
from previewbot.core.actions import (
    WORLD_CHANGED,
    FailRelease,
    ForgetSecrets,
    Plan,
    Prepare,
    Route,
    StartBuild,
    StartRelease,
)
from previewbot.core.blueprint import Blueprint, Flaw, Hook, Hooks, Kind, Resource, ResourceType
from previewbot.core.desire import Absent, Address, Basis, Desired, Present, Unchanged, host_names, present
from previewbot.core.model import BuildRecord, BuildState, Instance, InstanceState, Reason, Record, ReleaseSpec, State
from previewbot.core.plan import plan
from previewbot.core.secrets import SecretName, Versions
from tests.core.facts import API, BLUEPRINT, COMMIT, KEY, NOW, OLDER, PULL, WEB
from tests.core.toy import Toy, settle

HOSTS = host_names(BLUEPRINT, 42, "localhost")


def release(commit: str, api: str = "t2") -> Present:
    return present(replace(PULL, head_commit=commit), BLUEPRINT, Basis({".": commit, "api": api}, HOSTS, Address()))


BASIS = Basis({".": COMMIT, "api": "t2"}, HOSTS, Address())
OLD, NEW = release(OLDER), release(COMMIT)
STAGED = present(
    PULL,
    replace(
        BLUEPRINT, services=(replace(WEB, depends_on=("api",)), API), hooks=Hooks(release=Hook("api", ("migrate",)))
    ),
    Basis({".": COMMIT, "api": "t2"}, HOSTS, Address()),
)
FLAWED = Unchanged(Reason.BLUEPRINT_FLAWED, COMMIT, flaws=(Flaw("previewbot.yaml", 1, 1, "x", "y"),))
WISHES: dict[str, Desired] = {
    "new": NEW,
    "old": OLD,
    "flawed": FLAWED,
    "closed": Absent(Reason.CLOSED),
    "fork": Absent(Reason.FORK, "someone/shop"),
    "staged": STAGED,
}


def _serving(toy: Toy) -> None:
    settle(toy, OLD)


def _building(toy: Toy) -> None:
    toy.step(OLD)


def _starting(toy: Toy) -> None:
    toy.step(OLD)
    toy.pass_time()
    toy.step(OLD)


def _draining(toy: Toy) -> None:
    settle(toy, OLD)
    for _ in range(2):
        toy.step(release(COMMIT, "t3"))
        toy.pass_time()


def _orphans(toy: Toy) -> None:
    toy.running["feedfeedfeed"] = [Instance("web", 0, InstanceState.READY, "127.0.0.1:1")]
    toy.prepared.add("feedfeedfeed")
    toy.routes["old.localhost"] = ("127.0.0.1:1",)


def _gone(toy: Toy) -> None:
    settle(toy, OLD)
    settle(toy, Absent(Reason.CLOSED))


def _lost_records(toy: Toy) -> None:
    settle(toy, OLD)
    toy.record, toy.releases, toy.builds = Toy().record, {}, {}


def _half_deleted(toy: Toy) -> None:
    settle(toy, OLD)
    toy.running[OLD.release.revision].pop()


def _restarted_engine(toy: Toy) -> None:
    settle(toy, OLD)
    revision = OLD.release.revision
    toy.running[revision] = [replace(each, address=f"{each.address}0") for each in toy.running[revision]]


def _nothing(toy: Toy) -> None:
    pass


WORLDS: list[Callable[[Toy], None]] = [
    _nothing,
    _serving,
    _building,
    _starting,
    _draining,
    _orphans,
    _gone,
    _lost_records,
    _half_deleted,
    _restarted_engine,
]


@pytest.mark.parametrize(
    ("start", "wish"), list(product(WORLDS, WISHES)), ids=lambda each: getattr(each, "__name__", each)
)
def test_every_world_converges_to_every_wish(start: Callable[[Toy], None], wish: str) -> None:
    toy, desired = Toy(), WISHES[wish]
    start(toy)
    made = settle(toy, desired)
    if isinstance(desired, Present):
        _ends_serving(toy, desired)
        assert (made.status.state, made.status.reason) == (State.READY, Reason.SERVING)
    elif isinstance(desired, Absent):
        assert toy.situation(desired).observed.is_empty
        assert not toy.building
        assert made.status.reason is desired.reason
    else:
        assert made.status.state is State.FAILED
        assert not toy.building
        assert len(toy.running) <= 1


def _ends_serving(toy: Toy, desired: Present) -> None:
    revision = desired.release.revision
    assert list(toy.running) == [revision]
    assert toy.prepared == {revision}
    assert not toy.building
    web = next(each for each in toy.running[revision] if each.service == "web")
    assert toy.routes == {"pr-42-shop.localhost": (web.address,)}


@pytest.mark.parametrize("failure", ["image", "revision"])
def test_a_failed_successor_leaves_the_last_good_release_serving(failure: str) -> None:
    toy = Toy()
    settle(toy, OLD)
    routes = dict(toy.routes)
    if failure == "image":
        toy.bad_images.add(NEW.orders[0].image)
    else:
        toy.bad_revisions.add(NEW.release.revision)
    made = settle(toy, NEW)
    assert made.status.state is State.FAILED
    assert made.status.last_good
    assert made.status.last_good.commit == OLDER
    assert list(toy.running) == [OLD.release.revision]
    assert toy.routes == routes


def test_a_release_that_failed_is_not_tried_again_until_something_changes() -> None:
    toy = Toy()
    toy.bad_revisions.add(NEW.release.revision)
    settle(toy, NEW)
    settle(toy, NEW)
    assert toy.started == [NEW.release.revision]
    toy.bad_revisions.clear()
    fixed = release(COMMIT, "fixed")
    settle(toy, fixed)
    assert set(toy.started[1:]) == {fixed.release.revision}


@pytest.mark.parametrize("trouble", sorted(retry.PASSING))
@pytest.mark.parametrize("start", WORLDS)
def test_what_may_pass_is_tried_again_by_itself_until_it_has_passed(
    start: Callable[[Toy], None], trouble: Reason
) -> None:
    toy = Toy()
    start(toy)
    toy.trouble, before = trouble, len(toy.started)
    made = [_step_and_wait(toy, NEW) for _ in range(100)]
    toy.trouble = None
    told = [each.status for each in made if each.status.reason is trouble and not _changes_the_world(each)]
    assert len(toy.started) - before > 3, "it is tried again"
    assert len(toy.started) - before < 6 + (toy.now - NOW) / timedelta(minutes=5), "but not all the time"
    assert len({str(replace(each, detail=None)) for each in told}) == 1, "and nobody is told twice"
    changes = [now.detail for was, now in pairwise(told) if was.detail != now.detail]
    assert len(changes) <= 1, "but for what came up early, which is named until all the others came"
    assert settle(toy, NEW, steps=100).status.state is State.READY
    assert toy.releases[NEW.release.revision].reason is None


def _changes_the_world(made: Plan) -> bool:
    """Whether the same pass looks again, before it tells anybody."""
    return any(isinstance(each, WORLD_CHANGED) for each in made.actions)


def _step_and_wait(toy: Toy, desired: Desired) -> Plan:
    """Take a step, and look again when that was to be: but not before what was begun has come to its end."""
    made = toy.step(desired)
    if not _changes_the_world(made):
        if made.recheck and made.recheck > timedelta(seconds=20):
            toy.now += made.recheck - timedelta(seconds=5)
        toy.pass_time()
    return made


def test_trouble_with_a_resource_passes_too() -> None:
    toy = Toy(trouble=Reason.UNSCHEDULABLE)
    wish = _with_database(NEW)
    made = [_step_and_wait(toy, wish) for _ in range(60)]
    status = made[-1].status
    assert (status.state, status.reason) == (State.FAILED, Reason.UNSCHEDULABLE)
    assert status.detail == "resource **db** finds no room"
    assert 3 < len(toy.started) < 6 + (toy.now - NOW) / timedelta(minutes=5)
    toy.trouble = None
    assert settle(toy, wish, steps=100).status.state is State.READY


def test_a_hook_that_never_began_is_no_hook_that_failed() -> None:
    toy = Toy(trouble=Reason.UNSCHEDULABLE)
    made = [_step_and_wait(toy, STAGED) for _ in range(9)]
    assert made[-1].status.reason is Reason.UNSCHEDULABLE
    assert made[-1].status.detail == "release hook finds no room"
    toy.trouble = None
    assert settle(toy, STAGED, steps=100).status.state is State.READY


def test_the_url_never_points_at_a_release_that_is_not_healthy() -> None:
    toy = Toy()
    settle(toy, OLD)
    for _ in range(10):
        for made in [toy.step(NEW)]:
            for action in made.actions:
                if isinstance(action, Route) and action.release:
                    running = toy.running[action.release.revision]
                    assert all(each.state is InstanceState.READY for each in running)
        assert toy.routes, "and there is always one"
        toy.pass_time()


def test_a_newer_commit_cancels_the_build_of_an_older_one() -> None:
    toy = Toy()
    toy.step(OLD)
    toy.step(NEW)
    wanted = {order.image for order in NEW.orders}
    assert toy.building.keys() == wanted


def test_only_what_is_missing_is_built() -> None:
    toy = Toy()
    settle(toy, OLD)
    built = [each.order.service for each in toy.step(NEW).actions if isinstance(each, StartBuild)]
    assert built == ["web"]


def test_an_old_release_is_kept_until_it_is_drained() -> None:
    toy = Toy()
    settle(toy, OLD)
    toy.step(NEW)
    toy.pass_time()
    toy.step(NEW)
    toy.pass_time()
    assert any(isinstance(each, Route) for each in toy.step(NEW).actions)
    made = toy.step(NEW)
    assert made.status.state is State.READY
    assert made.recheck
    assert OLD.release.revision in toy.running
    toy.pass_time()
    toy.step(NEW)
    assert OLD.release.revision not in toy.running


def test_a_serving_release_that_crashes_later_keeps_its_place_and_says_so() -> None:
    toy = Toy()
    settle(toy, OLD)
    toy.bad_revisions.add(OLD.release.revision)
    toy.pass_time()
    made = toy.step(OLD)
    assert (made.status.state, made.status.reason) == (State.FAILED, Reason.CRASHED)
    assert not any(isinstance(each, FailRelease) for each in made.actions)
    toy.bad_revisions.clear()
    assert settle(toy, OLD).status.state is State.READY


def test_a_serving_release_that_finds_no_room_any_more_says_just_that() -> None:
    toy = Toy()
    settle(toy, OLD)
    revision = OLD.release.revision
    lost = Instance("web", 0, InstanceState.FAILED, detail="finds no room", reason=Reason.UNSCHEDULABLE)
    toy.running[revision] = [each if each.service != "web" else lost for each in toy.running[revision]]
    made = toy.step(OLD)
    assert (made.status.reason, made.status.detail) == (Reason.UNSCHEDULABLE, "service **web** finds no room")
    assert not any(isinstance(each, FailRelease) for each in made.actions)


@pytest.mark.parametrize("wish", [FLAWED, NEW], ids=["flawed", "failed"])
def test_the_last_good_release_is_put_back_while_the_newest_commit_cannot_run(wish: Desired) -> None:
    toy = Toy(bad_revisions={NEW.release.revision})
    settle(toy, OLD)
    settle(toy, wish)
    lost = toy.running[OLD.release.revision].pop()
    status = settle(toy, wish).status
    assert status.state is State.FAILED
    assert lost.service in {each.service for each in toy.running[OLD.release.revision]}
    assert status.last_good
    assert (status.last_good.commit, status.last_good.spec) == (OLDER, None), (
        "of which people are told no more than before"
    )


@pytest.mark.parametrize("wish", [OLD, FLAWED], ids=["served", "flawed"])
@pytest.mark.parametrize("what", ["drifted", "outdated"])
def test_what_surrounds_a_release_is_made_again_whether_somebody_changed_it_or_it_is_out_of_date(
    wish: Desired, what: str
) -> None:
    toy = Toy()
    settle(toy, OLD)
    situation = toy.situation(wish)
    for changed in (False, True):
        seen = situation.observed
        seen = replace(seen, drifted=changed) if what == "drifted" else replace(seen, outdated=changed)
        made = plan(replace(situation, observed=seen))
        assert (Prepare(OLD.release.revision) in made.actions) is changed


def test_a_cancelled_build_is_simply_started_again() -> None:
    toy = Toy()
    image = NEW.orders[0].image
    toy.builds[image] = BuildRecord(image, KEY, "web", COMMIT, "log", BuildState.CANCELLED, NOW, NOW)
    assert settle(toy, NEW).status.state is State.READY


def test_what_only_waits_to_be_asked_comes_up_while_other_images_are_built() -> None:
    toy = Toy()
    toy.images.add(NEW.orders[1].image)
    toy.step(NEW)
    assert toy.begun == ["api"]
    toy.images.add(NEW.orders[0].image)
    toy.building.clear()
    toy.step(NEW)
    assert toy.begun == ["api", "web"]
    assert settle(toy, NEW).status.state is State.READY


def _early(toy: Toy, desired: Present) -> set[str]:
    """What is started while an image is still built."""
    starts = [each for each in toy.step(desired).actions if isinstance(each, StartRelease)]
    return {name for each in starts for name in each.services}


def _with(kind: Kind, hooks: Hooks = Hooks()) -> Present:  # noqa: B008 - frozen
    other = replace(API, kind=kind, port=None)
    return present(PULL, replace(BLUEPRINT, services=(WEB, other), hooks=hooks), BASIS)


def test_what_works_by_itself_waits_for_every_image() -> None:
    toy, desired = Toy(), _with(Kind.WORKER)
    toy.images.add(desired.orders[1].image)
    assert _early(toy, desired) == set()


@pytest.mark.parametrize("kind", [Kind.CRON, Kind.JOB])
@pytest.mark.parametrize("hooks", [Hooks(), Hooks(release=Hook("api", ("migrate",)))])
def test_what_is_only_laid_waits_for_its_own_image_alone(kind: Kind, hooks: Hooks) -> None:
    toy, desired = Toy(), _with(kind, hooks)
    assert _early(toy, desired) == set()
    toy.images.add(desired.orders[1].image)
    assert _early(toy, desired) == {"api"}
    assert _early(toy, desired) == set()
    toy.images.add(desired.orders[0].image)
    toy.building.clear()
    assert settle(toy, desired).status.state is State.READY


def test_nothing_that_runs_comes_up_early_where_a_hook_runs_first() -> None:
    toy = Toy()
    toy.images.add(next(each.image for each in STAGED.orders if each.service == "api"))
    assert _early(toy, STAGED) == set()


@pytest.mark.parametrize("before", [None, OLD], ids=["first", "successor"])
def test_what_came_up_early_goes_where_an_image_cannot_be_built(before: Present | None) -> None:
    toy = Toy()
    if before:
        settle(toy, before)
    toy.images.add(NEW.orders[1].image)
    toy.bad_images.add(NEW.orders[0].image)
    toy.step(NEW)
    assert NEW.release.revision in toy.running
    made = settle(toy, NEW)
    assert made.status.reason is Reason.BUILD_FAILED
    assert toy.running.keys() == ({before.release.revision} if before else set())


def test_a_release_that_serves_outlives_that_its_image_is_lost_and_cannot_be_built_again() -> None:
    toy = Toy()
    settle(toy, OLD)
    image = OLD.orders[0].image
    toy.images.discard(image)
    toy.bad_images.add(image)
    settle(toy, OLD)
    assert OLD.release.revision in toy.running
    assert toy.routes


def test_services_start_in_the_order_of_what_they_depend_on_after_the_release_hook() -> None:
    toy = Toy()
    assert settle(toy, STAGED).status.state is State.READY
    assert toy.begun == ["hook.release", "api", "web"]


def test_a_failed_release_hook_leaves_the_old_release_serving_and_is_told() -> None:
    toy = Toy()
    settle(toy, OLD)
    toy.bad_services = {"hook.release"}
    status = settle(toy, STAGED).status
    assert (status.state, status.reason) == (State.FAILED, Reason.HOOK_FAILED)
    assert status.last_good is not None
    assert set(toy.running) == {OLD.release.revision}
    assert toy.begun.count("hook.release") == 1


def test_nothing_starts_while_the_release_hook_runs_and_people_are_told() -> None:
    toy = Toy()
    toy.step(STAGED)
    toy.pass_time()
    toy.step(STAGED)
    assert toy.step(STAGED).status.reason is Reason.HOOK_RUNNING
    assert toy.begun == ["hook.release"]


def test_a_serving_release_is_put_back_whole_and_without_its_hook() -> None:
    toy = Toy()
    settle(toy, STAGED)
    toy.running.clear()
    toy.begun.clear()
    assert settle(toy, STAGED).status.state is State.READY
    assert toy.begun == ["api", "web"]


def test_a_volume_is_filled_once_after_the_release_hook_and_that_is_no_other_release() -> None:
    seeded = Blueprint(
        "shop",
        (WEB, API),
        resources=(Resource("db", ResourceType.POSTGRES, seed=Hook("api", ("fill",))),),
        hooks=Hooks(release=Hook("api", ("migrate",))),
    )
    basis = Basis(
        {".": COMMIT, "api": "t2"}, HOSTS, Address(), versions=Versions(own={SecretName("db", "password"): "1"})
    )
    first = present(PULL, seeded, basis)
    (data,) = first.resources[0].volumes
    later = present(PULL, seeded, replace(basis, seeded=frozenset({data})))
    assert first.release.revision == later.release.revision
    toy = Toy()
    settle(toy, first)
    assert toy.begun == ["db", "hook.release", "seed.db", "api", "web"]
    running = toy.situation(first).observed.release(first.release.revision)
    assert stages.seeded(first.release, running) == {data}
    assert settle(toy, later).status.state is State.READY
    assert [each.name for each in later.release.services] == ["hook.release", "web", "api"]


PARTING = present(PULL, replace(BLUEPRINT, hooks=Hooks(destroy=Hook("api", ("bye",)))), BASIS)


def test_the_destroy_hook_runs_once_before_everything_goes() -> None:
    toy = Toy()
    settle(toy, PARTING)
    toy.step(Absent(Reason.CLOSED))
    assert toy.farewells == [(PARTING.release.revision, "hook.destroy")]
    assert toy.running
    assert not toy.routes
    assert settle(toy, Absent(Reason.CLOSED)).status.state is State.GONE
    assert len(toy.farewells) == 1


def test_a_destroy_hook_that_never_ends_does_not_stop_the_deletion() -> None:
    toy = Toy(farewells_end=False)
    settle(toy, PARTING)
    toy.step(Absent(Reason.CLOSED))
    toy.step(Absent(Reason.CLOSED))
    toy.now += timedelta(minutes=60)
    toy.step(Absent(Reason.CLOSED))
    assert toy.running, "a hook may take an hour"
    toy.now += timedelta(minutes=6)
    assert settle(toy, Absent(Reason.CLOSED)).status.state is State.GONE


def test_a_seed_that_fails_is_told_by_the_name_of_its_resource() -> None:
    seeded = Blueprint("shop", (WEB,), resources=(Resource("db", ResourceType.POSTGRES, seed=Hook("web", ("fill",))),))
    basis = Basis({".": COMMIT}, HOSTS, Address(), versions=Versions(own={SecretName("db", "password"): "1"}))
    toy = Toy(bad_services={"seed.db"})
    status = settle(toy, present(PULL, seeded, basis)).status
    assert (status.reason, status.detail) == (Reason.HOOK_FAILED, "seed of db exits with code 1")


def _with_database(wanted: Present, revision: str = "db-1111", volume: str = "db-16") -> Present:
    server = replace(wanted.release.services[1], name="db", build=None, image="postgres:16", volumes={"/data": volume})
    database = ReleaseSpec(KEY, revision, "shop", "", (server,), resource="db")
    return replace(wanted, resources=(database,))


def test_a_release_comes_after_its_resources_which_come_up_while_images_are_built() -> None:
    toy = Toy()
    toy.step(_with_database(NEW))
    assert toy.started == ["db-1111"]
    assert toy.building
    assert settle(toy, _with_database(NEW)).status.state is State.READY
    assert toy.begun == ["db", "api", "web"]


def test_resources_stay_over_releases_flaws_and_builds() -> None:
    toy = Toy()
    settle(toy, _with_database(OLD))
    settle(toy, _with_database(NEW))
    settle(toy, FLAWED)
    assert toy.begun.count("db") == 1
    assert "db-1111" in toy.running


def test_a_resource_is_replaced_in_place_and_its_old_volume_goes_last() -> None:
    toy = Toy()
    settle(toy, _with_database(OLD))
    newer = _with_database(NEW, "db-2222", "db-17")
    toy.step(newer)
    assert "db-1111" in toy.running, "not before the images are there"
    assert settle(toy, newer).status.state is State.READY
    assert "db-1111" not in toy.running
    assert toy.volumes == {"db-17"}


def test_a_resource_that_the_blueprint_drops_goes_with_its_data_once_its_last_user_is_gone() -> None:
    toy = Toy()
    settle(toy, _with_database(OLD))
    toy.step(NEW)
    toy.pass_time()
    toy.step(NEW)
    assert "db-1111" in toy.running
    assert settle(toy, NEW).status.state is State.READY
    assert "db-1111" not in toy.running
    assert toy.volumes == set()


def test_a_resource_that_does_not_come_up_is_told_and_tried_again_after_a_push() -> None:
    toy = Toy()
    settle(toy, OLD)
    toy.bad_services = {"db"}
    status = settle(toy, _with_database(NEW)).status
    assert (status.state, status.reason) == (State.FAILED, Reason.RESOURCE_FAILED)
    assert status.detail == "resource **db** exits with code 1"
    assert OLD.release.revision in toy.running
    assert toy.begun.count("db") == 1
    toy.bad_services = set()
    toy.record = replace(toy.record, triggered_at=toy.now + timedelta(seconds=1))
    assert settle(toy, _with_database(NEW)).status.state is State.READY


def test_everything_goes_with_the_environment() -> None:
    toy = Toy()
    settle(toy, _with_database(NEW))
    assert settle(toy, Absent(Reason.CLOSED)).status.state is State.GONE
    assert (toy.running, toy.volumes) == ({}, set())


def test_what_was_made_elsewhere_goes_last_also_where_it_is_found_after_the_end() -> None:
    toy = Toy(record=Record(KEY, keeps_secrets=True))
    settle(toy, OLD)
    assert ForgetSecrets() not in toy.step(Absent(Reason.CLOSED)).actions, "what runs could still use it"
    end = settle(toy, Absent(Reason.CLOSED)).status
    assert not toy.record.keeps_secrets
    toy.record = replace(toy.record, keeps_secrets=True)
    toy.pass_time()
    again = toy.step(Absent(Reason.CLOSED))
    assert (again.actions, again.status) == ((ForgetSecrets(),), end), "it ended when it ended"
    assert settle(toy, Absent(Reason.CLOSED)).status == end


def test_the_time_since_when_a_state_holds_outlives_further_looks() -> None:
    toy = Toy()
    first = toy.step(NEW).status.since
    toy.now = toy.now.replace(minute=59)
    assert toy.step(NEW).status.since == first


def test_the_end_says_how_much_was_removed() -> None:
    toy = Toy()
    settle(toy, OLD)
    made = settle(toy, Absent(Reason.MERGED))
    assert made.status.removed
    assert made.status.removed.containers == 2
