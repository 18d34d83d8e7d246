# previewbot itself as an image: docker build -t previewbot .
# It holds no secret and no configuration; deploy/compose/README.md and deploy/kubernetes.md say how to run it.
ARG BASE=python:3.13-slim-trixie
# Where buildctl comes from, BuildKit's client, which builds images for a cluster.
ARG BUILDKIT=moby/buildkit:v0.34.2
FROM ${BUILDKIT} AS buildkit

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY requirements.lock requirements-dev.lock ./
RUN python -m venv /tools && /tools/bin/pip install --quiet --no-deps --require-hashes -r requirements-dev.lock
RUN python -m venv /opt/previewbot && /opt/previewbot/bin/pip install --quiet --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE app-manifest.yml ./
COPY previewbot previewbot
RUN /tools/bin/python -m hatchling build -t wheel -d /wheels && /opt/previewbot/bin/pip install --quiet --no-deps /wheels/*.whl

FROM ${BASE}
# git reads repositories; the docker command builds images on the engine of the host, with BuildKit. Engines since 29
# refuse commands older than 25, so Debian 12's would not do.
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates docker-buildx docker-cli git \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/previewbot previewbot
COPY --from=buildkit /usr/bin/buildctl /usr/local/bin/buildctl
COPY --from=build /opt/previewbot /opt/previewbot
ENV PATH=/opt/previewbot/bin:$PATH PYTHONUNBUFFERED=1 PREVIEWBOT_STORAGE__FOLDER=/var/lib/previewbot
USER previewbot
WORKDIR /var/lib/previewbot
VOLUME /var/lib/previewbot
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('PREVIEWBOT_SERVER__PORT', '8000') + '/healthz', timeout=4)"]
CMD ["previewbot", "serve", "--config", "/etc/previewbot/previewbot.yaml"]
