"""Images that behave like the official ones of their names, where no registry can be asked for them.

PostgreSQL, Redis, RabbitMQ and, in the place of MySQL, MariaDB are Debian's own packages, the others are built or
fetched as what they are. Those of the full stack are also what the sample app is built on.
"""

from __future__ import annotations

from collections.abc import Mapping

from previewbot.demo.machine import Say
from tests.cluster import debian, tools
from tests.stack import maven
from tests.stack.family import Family

_PATH = str(debian.CONFIG["Env"])[7:-2]
_POSTGRES = """\
#!/bin/sh
# As the official image documents it: the first start makes the database that the variables name.
set -eu
if [ "$1" = postgres ]; then
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    umask 077
    printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
    initdb -D "$PGDATA" -U "$POSTGRES_USER" -A scram-sha-256 --pwfile=/tmp/password --no-sync
    rm /tmp/password
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    echo "create database \\"$POSTGRES_DB\\"" | postgres --single -j -D "$PGDATA" postgres > /tmp/made
  fi
  exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp -c jit=off
fi
exec "$@"
"""
_ELASTICMQ = """\
#!/bin/sh
# As the official image: arguments are settings of the machine that runs it, laid over an empty configuration.
exec java -Dconfig.file=/opt/elasticmq.conf "$@" -cp '/opt/elasticmq/*' org.elasticmq.server.Main
"""
_MYSQL = """\
#!/bin/sh
# As the official image documents it: the first start makes the database and the user that the variables name.
set -eu
data=/var/lib/mysql
if [ "$1" = mysqld ]; then
  shift
  if [ ! -d $data/mysql ]; then
    host=${MYSQL_ROOT_HOST:-%}
    umask 077
    {
      printf 'CREATE DATABASE mysql;\\nUSE mysql;\\n'
      (cd /usr/share/mysql && cat mysql_system_tables.sql mysql_performance_tables.sql mysql_system_tables_data.sql)
      cat <<END
FLUSH PRIVILEGES;
CREATE DATABASE $MYSQL_DATABASE;
CREATE USER '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD';
GRANT ALL ON $MYSQL_DATABASE.* TO '$MYSQL_USER'@'%';
DELETE FROM mysql.global_priv WHERE user = 'root';
FLUSH PRIVILEGES;
CREATE USER 'root'@'$host' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
GRANT ALL ON *.* TO 'root'@'$host' WITH GRANT OPTION;
END
    } | mariadbd --no-defaults --datadir=$data --bootstrap "$@"
  fi
  exec mariadbd --no-defaults --datadir=$data --socket=/tmp/mysqld.sock --pid-file=/tmp/mysqld.pid "$@"
fi
exec "$@"
"""
_RABBITMQ = """\
#!/bin/sh
# As in the official image, the server itself understands RABBITMQ_DEFAULT_USER and RABBITMQ_DEFAULT_PASS.
exec env HOME=/var/lib/rabbitmq RABBITMQ_LOGS=- RABBITMQ_PID_FILE=/tmp/rabbitmq.pid "$@"
"""


def _of_the_stack(say: Say) -> Mapping[str, bytes]:
    versitygw = tools.build(say, ("versitygw",))["versitygw"]
    return {
        "entrypoint": _POSTGRES.encode(),
        "usr/bin/versitygw": versitygw.read_bytes(),
        "opt/elasticmq.conf": b'include classpath("application.conf")\n',
        "opt/elasticmq/run": _ELASTICMQ.encode(),
        **{f"opt/elasticmq/{each.name}": each.read_bytes() for each in sorted(maven.elasticmq(say).iterdir())},
    }


def _of_the_others(_: Say) -> Mapping[str, bytes]:
    return {"opt/mysql": _MYSQL.encode(), "opt/rabbitmq": _RABBITMQ.encode()}


STACK = Family(
    base="previewbot/stack:1",
    path=f"PATH=/usr/lib/postgresql/15/bin:{_PATH}",
    packages=(
        *("postgresql-15", "redis-server", "openjdk-17-jre-headless"),
        *("python3-psycopg2", "python3-redis", "python3-boto3"),
    ),
    folders=("var/lib/postgresql/data", "data"),
    own=_of_the_stack,
    servers={
        "postgres:15": {"Entrypoint": ["/entrypoint"], "Cmd": ["postgres"], "StopSignal": "SIGINT"},
        "redis:7": {"Entrypoint": ["/entrypoint"], "Cmd": ["redis-server"]},
        "versity/versitygw:v1.8.0": {"Entrypoint": ["versitygw"]},
        "softwaremill/elasticmq:1.6.16": {"Entrypoint": ["/opt/elasticmq/run"]},
    },
    left_out=(
        *("libLLVM", "/bitcode/", "./usr/share/perl", "./usr/lib/x86_64-linux-gnu/perl/", "./var/lib/apt/lists/"),
        *("/classes_nocoops.jsa", "/ct.sym"),
    ),
    # What a client of other services of AWS would have to know.
    left_out_where=r".*/botocore/data/(?!(?:s3|sqs)/)\w[^/]*/.*",
)
OTHERS = Family(
    base="previewbot/others:1",
    path=f"PATH=/usr/lib/rabbitmq/bin:{_PATH}",
    packages=("mariadb-server-core", "rabbitmq-server", "python3-pymysql", "python3-pika"),
    folders=("var/lib/mysql", "var/lib/rabbitmq", "var/log/rabbitmq"),
    own=_of_the_others,
    servers={
        "mysql:8.4": {"Entrypoint": ["/opt/mysql"], "Cmd": ["mysqld"]},
        "rabbitmq:4": {"Entrypoint": ["/opt/rabbitmq"], "Cmd": ["rabbitmq-server"]},
    },
    # What Debian's own server was set up with when it was installed.
    left_out=("./var/lib/apt/lists/", "./var/lib/rabbitmq/", "./etc/rabbitmq/rabbitmq-env.conf"),
)
