"""Blueprints of every sort that validate, as what their files say; some of each are as odd as they may be."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

_TEXTS = [
    "plain", "$${HOME} $1 '\"", "é\u2028\x7f", "${services.web.url}/x", "${services.web.public_url}", "${commit.sha}",
    "${environment.name}-${environment.kind}-${environment.number}", "${secrets.TOKEN}", "a${resources.db.password}b",
    "${resources.db.url}?x", "${resources.cache.host}:${resources.cache.port}", "${resources.mq.url}",
    "${resources.my.name}", "${resources.files.bucket}", "${resources.mails.url}", "${resources.files.url}$${x",
]  # fmt: skip
_texts = st.sampled_from(_TEXTS)
_commands = st.lists(_texts, min_size=1, max_size=3)
_names = st.sampled_from(["api", "w" * 32, "a-b", "x1", "mailer"])
_sizes = st.sampled_from(["small", "z" * 32])
_made = st.sampled_from([
    {"build": "."},
    {"image": "redis:7"},
    {"build": {"context": "é/b c", "target": "T", "args": {"A": "${commit.sha}"}}},
])  # fmt: skip
_parts: dict[str, st.SearchStrategy[Any]] = {
    "command": _commands,
    "env": st.dictionaries(st.sampled_from(["A", "B_1", "PORT", "_"]), _texts, max_size=3),
    "secrets": st.lists(st.sampled_from(["KEY", "SESSION", "TOKEN"]), unique=True),
    "size": _sizes,
    "volumes": st.just({"data": "/data"}),
}
_ending = _parts | {"timeout": st.sampled_from(["1s", "720m"])}
_staying = _parts | {
    "health": st.sampled_from([{"command": ["./alive"]}, {"timeout": "2m"}]),
    "replicas": st.integers(1, 10),
    "depends_on": st.just(["web"]),
}
_kinds = st.sampled_from([
    ({"kind": "worker"}, _staying),
    ({"port": 80}, _staying),
    ({"port": 9000, "public": True, "health": "/h"}, {key: each for key, each in _staying.items() if key != "health"}),
    ({"kind": "cron", "schedule": "0 3 * * 1-5", "timezone": "Europe/Berlin"}, _ending),
    ({"kind": "job"}, _ending),
])  # fmt: skip


@st.composite
def _services(draw: st.DrawFn) -> Document:
    fixed, parts = draw(_kinds)
    made: Document = draw(_made) | fixed | draw(st.fixed_dictionaries({}, optional=parts))
    return made


_hooks = st.fixed_dictionaries({"service": st.just("web"), "command": _commands})
_resources = {
    "db": st.sampled_from(["postgres", {"type": "postgres", "version": "9" * 128}, {"type": "postgres", "size": "big"}])
    | st.builds(lambda seed: {"type": "postgres", "version": "16_A.b", "seed": seed}, _hooks),
    "cache": st.just("redis"),
    "mq": st.just("rabbitmq"),
    "my": st.sampled_from(["mysql", {"type": "mysql", "version": 8.4}]),
    "files": st.just("storage"),
    "mails": st.just("queue"),
    "data": st.just("volume"),
}
_web = st.fixed_dictionaries({"build": st.just("."), "port": st.just(8080)}, optional=_parts)
_environments = st.fixed_dictionaries(
    {},
    optional={
        "services": st.just({"web": {"replicas": 3, "size": "large"}}),
        "resources": st.just({"db": {"size": "large"}}),
    },
)
files = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "services": st.builds(
            lambda web, others: {"web": web} | others, _web, st.dictionaries(_names, _services(), max_size=3)
        ),
        "resources": st.fixed_dictionaries(_resources),
        "secrets": st.just({"SESSION": {"generate": 32}, "TOKEN": {}}),
    },
    optional={
        "hooks": st.fixed_dictionaries({}, optional={"release": _hooks, "destroy": _hooks}),
        "environments": st.fixed_dictionaries(
            {},
            optional={
                "preview": _environments,
                "production": st.builds(lambda each: each | {"domain": "shop.example.com"}, _environments),
                "e" * 32: _environments,
            },
        ),
    },
)
