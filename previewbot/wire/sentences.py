"""What is said of each reason: in a clause, as the head of a comment, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from previewbot.core.model import Reason

SENTENCES: Mapping[Reason, str] = {
    Reason.SERVING: "it serves",
    Reason.IMAGES_BUILDING: "its images are being built",
    Reason.RELEASE_STARTING: "it is starting",
    Reason.HOOK_RUNNING: "its release hook or seed is running",
    Reason.RESOURCES_STARTING: "its resources are starting",
    Reason.BUILD_FAILED: "the build failed",
    Reason.BUILD_TIMED_OUT: "the build took longer than it may",
    Reason.SOURCE_REFUSED: "its source cannot be used",
    Reason.BLUEPRINT_FLAWED: "previewbot.yaml has a flaw",
    Reason.NO_BLUEPRINT: "the repository has neither a previewbot.yaml nor a Dockerfile at its root",
    Reason.IMAGE_UNAVAILABLE: "an image cannot be pulled",
    Reason.CRASHED: "it does not stay up",
    Reason.UNHEALTHY: "it did not become healthy",
    Reason.HOOK_FAILED: "its release hook or seed failed",
    Reason.RESOURCE_FAILED: "one of its resources does not work",
    Reason.SECRETS_MISSING: "secrets are not set",
    Reason.RUNTIME_REFUSED: "it cannot be run here",
    Reason.QUOTA_EXCEEDED: "it needs more than the quota of one preview",
    Reason.UNSCHEDULABLE: "there is no room for it now",
    Reason.FORK: "it comes from a fork",
    Reason.AUTHOR_MAY_NOT_WRITE: "its author has no write permission",
    Reason.APP_NOT_ALLOWED: "its author is an App that the operator has not allowed",
    Reason.DRAFT: "it is a draft",
    Reason.LABEL_MISSING: "it does not carry the label that asks for a preview",
    Reason.LABEL_EXCLUDED: "it carries the label that forbids a preview",
    Reason.BRANCH_FILTERED: "its base branch is not one that gets previews",
    Reason.PATHS_FILTERED: "it changes nothing that needs a preview",
    Reason.TEARING_DOWN: "it is being removed",
    Reason.CLOSED: "the pull request was closed",
    Reason.MERGED: "the pull request was merged",
    Reason.UNINSTALLED: "previewbot can no longer see the pull request",
    Reason.ENGINE_AWAY: "previewbot cannot reach what it needs",
    Reason.INTERNAL: "previewbot failed; its operator was told",
}
"""Why an environment is in its state, as a clause: for lists, logs and pages."""

FAILURES: Mapping[Reason, str] = {
    Reason.BUILD_FAILED: "**Build of {commit} failed** in {detail}",
    Reason.BUILD_TIMED_OUT: "**Build of {commit} took longer than it may** in {detail}",
    Reason.CRASHED: "**{commit} does not stay up**: {detail}",
    Reason.UNHEALTHY: "**{commit} does not become healthy**: {detail}",
    Reason.RESOURCE_FAILED: "**A resource of {commit} does not work**: {detail}",
    Reason.SECRETS_MISSING: "**Secrets are missing for {commit}**, so nothing was changed: {detail}",
    Reason.HOOK_FAILED: "**{commit} could not be released**: its {detail}",
    Reason.IMAGE_UNAVAILABLE: "**{commit} lacks an image**: {detail}",
    Reason.QUOTA_EXCEEDED: "**{commit} needs more than one preview may have**: {detail}",
    Reason.UNSCHEDULABLE: "**There is no room for {commit} now**: {detail}",
    Reason.BLUEPRINT_FLAWED: "**previewbot.yaml has a flaw** at {commit}, so nothing was changed",
    Reason.NO_BLUEPRINT: "**There is nothing to run** at {commit}: {detail}",
    Reason.INTERNAL: "**previewbot failed** at {commit}; its operator was told, and it tries again by itself",
    Reason.ENGINE_AWAY: "**previewbot is waiting** with {commit}: {detail}. It tries again by itself",
}
"""The first line of a comment where something failed."""

BARS: Mapping[Reason, str] = {
    Reason.FORK: "it comes from a fork (`{detail}`), and code from outside is not run here",
    Reason.AUTHOR_MAY_NOT_WRITE: "its author `{detail}` has no write permission in this repository",
    Reason.APP_NOT_ALLOWED: "its author `{detail}` is an App that previewbot's operator has not allowed",
    Reason.LABEL_EXCLUDED: "it carries the label `{detail}`",
    Reason.LABEL_MISSING: "it does not carry the label `{detail}`",
    Reason.BRANCH_FILTERED: "pull requests into `{detail}` get no previews",
    Reason.PATHS_FILTERED: "it changes none of the paths that need one (`{detail}`)",
}
"""Why there is no preview, where the detail belongs into the sentence."""

_AGAIN = "It is tried again by itself, every few minutes."

ADVICE: Mapping[Reason, str] = {
    Reason.BUILD_FAILED: "Push a fix, or `/redeploy` if it was a hiccup.",
    Reason.BUILD_TIMED_OUT: "Make the build shorter, or ask the operator of previewbot for a longer limit.",
    Reason.CRASHED: "Push a fix, or `/redeploy` to try the same commit again.",
    Reason.UNHEALTHY: "Check `port` and `health` of the service, then push a fix or `/redeploy`.",
    Reason.RESOURCE_FAILED: "Check its `type`, `version` and `size`, then push a fix or `/redeploy`.",
    Reason.HOOK_FAILED: "Push a fix, or `/redeploy` to run it again.",
    Reason.SOURCE_REFUSED: "Push a commit that avoids this.",
    Reason.BLUEPRINT_FLAWED: "Push a fix; `previewbot validate` finds the same flaws before you push.",
    Reason.NO_BLUEPRINT: "Add a `Dockerfile` at the root, or a `previewbot.yaml`.",
    Reason.IMAGE_UNAVAILABLE: f"{_AGAIN} Where the image's name is wrong, push a fix.",
    Reason.RUNTIME_REFUSED: "Ask the operator of previewbot, then `/redeploy`.",
    Reason.QUOTA_EXCEEDED: f"{_AGAIN} Ask for less in `previewbot.yaml`, or the operator for a larger quota.",
    Reason.UNSCHEDULABLE: f"{_AGAIN} Close previews that nobody needs, or ask the operator for room.",
    Reason.FORK: "Somebody with write permission can push the branch here and open the pull request from it.",
    Reason.AUTHOR_MAY_NOT_WRITE: "Somebody with write permission can open a pull request from this branch themselves.",
    Reason.APP_NOT_ALLOWED: "The operator of previewbot can allow it under `previews.apps` in the configuration.",
    Reason.LABEL_EXCLUDED: "Remove the label to get one.",
    Reason.LABEL_MISSING: "Add the label to get one.",
}
"""What somebody can do about it."""
