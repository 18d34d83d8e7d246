"""The app of the stories about clouds: files, messages and a database."""

BLUEPRINT = """\
version: 1
app: shop
services:
  web:
    build: .
    port: 8080
    public: true
    env:
      BUCKET: ${resources.files.bucket}
      KEY: ${resources.files.access_key}
      SECRET: ${resources.files.secret_key}
      QUEUE: ${resources.jobs.url}
resources:
  files: storage
  jobs: queue
  db: {type: postgres, version: "16"}
"""
