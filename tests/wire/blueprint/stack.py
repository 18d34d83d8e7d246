"""A file that says everything a blueprint can."""

from __future__ import annotations

from previewbot.core.blueprint import Blueprint, Flaw
from previewbot.wire.blueprint import parse

STACK = """\
version: 1
app: shop
services:
  web:
    build: {context: web, args: {EDITION: "${environment.kind}"}}
    port: 8080
    size: small
    health: /healthz
    depends_on: [api]
    env: {API: "${services.api.url}", SELF: "${services.web.public_url}", COMMIT: "${commit.sha}"}
    secrets: [STRIPE_KEY, SESSION_KEY]
    volumes: {uploads: /var/uploads}
  api:
    build: api
    port: 9000
    command: ./serve --key ${secrets.STRIPE_KEY}
    env: {DATABASE_URL: "${resources.db.url}", TOKEN: "${secrets.API_TOKEN}", LITERAL: "$${HOME} $1"}
    health: {command: ./alive, timeout: 2m}
    replicas: 2
  mailer: {build: api, command: [./mail], kind: worker, health: {command: [./alive]}}
  nightly:
    kind: cron
    build: api
    command: [./nightly]
    schedule: "0 3 * *  MON-FRI"
    timezone: Europe/Berlin
    concurrency: replace
    history: 5
  reindex: {kind: job, build: api, command: ./reindex, timeout: 90m}
resources:
  db: {type: postgres, version: 16.10, size: small, backups: weekly, seed: {service: api, command: ./seed}}
  cache: redis
  uploads: volume
  files: storage
  mails: queue
secrets:
  SESSION_KEY: {generate: 32}
  SPARE: {}
hooks:
  release: {service: api, command: [./migrate, "${resources.db.url}"], timeout: 15m}
  destroy: {service: api, command: ./goodbye}
environments:
  preview: {services: {web: {replicas: 1}, nightly: {schedule: false}}}
  staging: {}
  production:
    domain: shop.example.com
    services: {web: {size: large, replicas: 3}}
    resources: {db: {size: large, backups: daily}}
previews: {drafts: true}
"""


def read(text: str) -> Blueprint | tuple[Flaw, ...]:
    return parse(text.encode(), fallback_app="fallback")


def made(text: str) -> Blueprint:
    found = read(text)
    assert isinstance(found, Blueprint), "\n".join(map(str, found))
    return found


def flaws(text: str) -> list[str]:
    """The flaws of a text without the name of the file."""
    found = read(text)
    assert isinstance(found, tuple), "no flaw"
    return [str(flaw).removeprefix("previewbot.yaml:") for flaw in found]
