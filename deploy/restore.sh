#!/bin/sh
# restore.sh FILE: a backup into the empty database that ZHIBU_OWNER_DATABASE_URL names; all of it or, on the first error, nothing.
# The role zhibu_app must be there (docs/running.md has the statements). Stop web and worker first.
set -eu
: "${ZHIBU_OWNER_DATABASE_URL:?请先设置 / please set ZHIBU_OWNER_DATABASE_URL (/etc/zhibu/zhibu-owner.env)}"
file=${1:?用法 / usage: restore.sh 备份文件 FILE}
# Of several servers in the address, the one that takes changes.
export PGTARGETSESSIONATTRS="${PGTARGETSESSIONATTRS:-read-write}"
pg_restore --exit-on-error --single-transaction --no-owner --dbname="$ZHIBU_OWNER_DATABASE_URL" "$file"
# The word: whoever follows changes hears everything again. A backup of before has no such table, and gets it from "zhibu migrate".
# The tables of the school are analysed one by one: their owner may not do so with PostgreSQL's own.
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --tuples-only --output=/dev/null --dbname="$ZHIBU_OWNER_DATABASE_URL" <<'SQL'
select 'update past set word = default' where to_regclass('public.past') is not null \gexec
select format('analyze %s', oid::regclass) from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') \gexec
SQL
echo "恢复完成。请先运行 zhibu verify --restored（核对变更记录）和 zhibu doctor，都没有问题再启动网页和后台。"
echo "Restored. Please run zhibu verify --restored (the history is whole) and zhibu doctor, and start web and worker when both are content."
