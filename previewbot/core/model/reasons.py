"""The state of an environment in one word, and why it is in it."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of an environment in one word, the same in the comment, the log, the metric and ``previewbot list``."""

    BUILDING = "building"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    SKIPPED = "skipped"
    REMOVING = "removing"
    GONE = "gone"


class Reason(StrEnum):
    """Why an environment is in its state; every one has its sentence in ``wire.notice``."""

    SERVING = "serving"
    IMAGES_BUILDING = "images_building"
    RELEASE_STARTING = "release_starting"
    HOOK_RUNNING = "hook_running"
    RESOURCES_STARTING = "resources_starting"
    BUILD_FAILED = "build_failed"
    BUILD_TIMED_OUT = "build_timed_out"
    SOURCE_REFUSED = "source_refused"
    BLUEPRINT_FLAWED = "blueprint_flawed"
    NO_BLUEPRINT = "no_blueprint"
    IMAGE_UNAVAILABLE = "image_unavailable"
    CRASHED = "crashed"
    UNHEALTHY = "unhealthy"
    HOOK_FAILED = "hook_failed"
    RESOURCE_FAILED = "resource_failed"
    SECRETS_MISSING = "secrets_missing"
    RUNTIME_REFUSED = "runtime_refused"
    QUOTA_EXCEEDED = "quota_exceeded"
    UNSCHEDULABLE = "unschedulable"
    FORK = "fork"
    AUTHOR_MAY_NOT_WRITE = "author_may_not_write"
    APP_NOT_ALLOWED = "app_not_allowed"
    DRAFT = "draft"
    LABEL_MISSING = "label_missing"
    LABEL_EXCLUDED = "label_excluded"
    BRANCH_FILTERED = "branch_filtered"
    PATHS_FILTERED = "paths_filtered"
    TEARING_DOWN = "tearing_down"
    CLOSED = "closed"
    MERGED = "merged"
    UNINSTALLED = "uninstalled"
    ENGINE_AWAY = "engine_away"
    INTERNAL = "internal"
