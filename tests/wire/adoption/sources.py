"""Files of other tools as repositories have them, each with what a blueprint has of it."""

from __future__ import annotations

SECRETS = ("hunter2", "sk_live_4eC39HqLyjWDarjt", "ghp_16C7e42F292c6912E7", "tok-en-of-mine", "p4ss-in-an-arg")
"""Every secret that stands in any of them."""

COMPOSE = b"""\
name: Shop
x-env: &env
  LOG_LEVEL: ${LOG_LEVEL:-info}
  DATABASE_URL: postgres://shop:hunter2@db:5432/shop
services:
  web:
    build: {context: ./web, target: prod, args: {EDITION: full, NPM_TOKEN: tok-en-of-mine}}
    ports: ["${WEB_PORT:-3000}:3000", "9229:9229"]
    environment:
      <<: *env
      REDIS_URL: redis://cache:6379/2
      STRIPE_KEY: sk_live_4eC39HqLyjWDarjt
      SESSION_KEY: ${SESSION_KEY}
      GREETING: "costs $$5, ${WHO}"
      API: http://api_v1:4000/v1
      S3_BUCKET: shop
      AWS_ENDPOINT_URL: http://files:9000
      AWS_ACCESS_KEY_ID: minio
    depends_on:
      db: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
      api_v1: {condition: service_started}
    healthcheck: {test: [CMD, curl, -f, "http://localhost:3000/healthz"], interval: 5s}
    restart: always
    env_file: .env
    volumes: ["./web:/app", "uploads:/var/uploads:ro"]
    deploy: {replicas: 2, resources: {limits: {cpus: "1"}}}
  api_v1:
    build: .
    expose: [4000]
    command: "./serve --port $$PORT"
    environment: [PGPASSWORD=hunter2, PGHOST=db, PGUSER=shop, BROKER=amqp://guest:hunter2@mq:5672//, FROM_SHELL]
    privileged: true
  migrate: {build: ., command: [./migrate], environment: *env}
  sneaky: {image: alpine, command: [./x, --password, p4ss-in-an-arg]}
  db:
    image: postgres:16.4-alpine
    environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: hunter2}
    volumes: ["data:/var/lib/postgresql/data"]
  cache: {image: "redis@sha256:0000000000000000000000000000000000000000000000000000000000000000"}
  mq: {image: "rabbitmq:3-management"}
  my: {image: "mariadb:11"}
  files: {image: minio/minio, command: server /data}
  cloud: {image: localstack/localstack, environment: {SERVICES: "s3,sqs"}}
volumes: {data: , uploads: {driver: local}}
"""

PROCFILE = b"""\
# comments and empty lines are none

web: bundle exec puma -p ${PORT:-3000}
worker: sidekiq -C config/sidekiq.yml
bad_one: API_TOKEN=hunter2 ./run
release: rake db:migrate
"""

APP_JSON = b"""{
\t"name": "Shop", "description": "hunter2 \\ud83d\\ude00",
\t"addons": ["heroku-postgresql:mini", {"plan": "heroku-redis", "as": "cache"}, "papertrail"],
\t"env": {
\t\t"SECRET_KEY_BASE": {"generator": "secret"}, "RAILS_ENV": "production", "API_KEY": {"description": "x"},
\t\t"GITHUB": "ghp_16C7e42F292c6912E7", "OPTIONAL": {"required": false}
\t},
\t"scripts": {"postdeploy": "rake db:seed", "pr-predestroy": "rake bye", "test": "rake"},
\t"formation": {"worker": {"quantity": 2, "size": "basic"}},
\t"buildpacks": [{"url": "heroku/ruby"}],
\t"cron": [
\t\t{"command": "rake nightly", "schedule": "0 1 * * *"}, {"command": "API_TOKEN=hunter2 x", "schedule": "0 1 * * *"},
\t\t{"command": "rake often", "schedule": "@daily"}
\t]
}
"""

RENDER = b"""\
services:
  - type: web
    name: Shop Web
    runtime: docker
    dockerContext: ./web
    dockerfilePath: ./web/prod.Dockerfile
    plan: free
    healthCheckPath: /healthz
    preDeployCommand: ./migrate
    envVars:
      - {key: DATABASE_URL, fromDatabase: {name: maindb, property: connectionString}}
      - {key: CACHE, fromService: {type: keyvalue, name: kv, property: hostport}}
      - {key: API, fromService: {type: pserv, name: api, property: hostport}}
      - {key: SESSION_KEY, generateValue: true}
      - {key: STRIPE_KEY, sync: false}
      - {key: HOOK, value: "https://x:hunter2@example.com"}
      - fromGroup: common
    disk: {name: media, mountPath: /data, sizeGB: 1}
  - {type: pserv, name: api, runtime: image, image: {url: "docker.io/acme/api:1"}}
  - {type: worker, name: jobs, runtime: node, startCommand: "node jobs.js", buildCommand: npm ci}
  - {type: cron, name: tick, runtime: docker, schedule: "0 * * * *", dockerCommand: "./tick && ./tock"}
  - {type: web, name: docs, runtime: static, staticPublishPath: ./out}
  - {type: keyvalue, name: kv, ipAllowList: []}
databases: [{name: maindb, postgresMajorVersion: "16", plan: free}]
envVarGroups: [{name: common, envVars: [{key: LOG_LEVEL, value: info}]}]
"""

DOCKERFILE = b"FROM alpine\nEXPOSE 3000\n"

REPOSITORIES: dict[str, dict[str, bytes]] = {
    "compose": {"compose.yaml": COMPOSE, "Dockerfile": DOCKERFILE},
    "compose that has only servers": {"docker-compose.yml": b"services: {db: {image: mysql:8}}", "Dockerfile": b""},
    "heroku": {"Procfile": PROCFILE, "app.json": APP_JSON},
    "heroku without a Procfile": {"app.json": b'{"env": {"A": "b"}}', "Dockerfile": DOCKERFILE},
    "heroku without app.json": {"Procfile": PROCFILE, "Dockerfile": DOCKERFILE},
    "render": {"render.yaml": RENDER, "web/Dockerfile": DOCKERFILE},
    "one Dockerfile": {"Dockerfile": DOCKERFILE},
    "several Dockerfiles": {"web/Dockerfile": DOCKERFILE, "api/Dockerfile": DOCKERFILE, "a b/Dockerfile": b"FROM x"},
    "all of them": {"compose.yaml": COMPOSE, "render.yaml": RENDER, "Procfile": PROCFILE, "app.json": APP_JSON},
}
