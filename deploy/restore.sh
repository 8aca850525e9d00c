#!/bin/sh
# restore.sh FILE: a backup into the empty database that ZHIBU_OWNER_DATABASE_URL names; all of it or, on the first error, nothing.
# The role zhibu_app must be there (docs/running.md has the statements). Stop web and worker first.
set -eu
: "${ZHIBU_OWNER_DATABASE_URL:?请先设置 / please set ZHIBU_OWNER_DATABASE_URL (/etc/zhibu/zhibu-owner.env)}"
file=${1:?用法 / usage: restore.sh 备份文件 FILE}
pg_restore --exit-on-error --single-transaction --no-owner --dbname="$ZHIBU_OWNER_DATABASE_URL" "$file"
psql --quiet --no-psqlrc --dbname="$ZHIBU_OWNER_DATABASE_URL" --command="analyze"
echo "恢复完成。请先运行 zhibu verify --restored（核对变更记录）和 zhibu doctor，都没有问题再启动网页和后台。"
echo "Restored. Please run zhibu verify --restored (the history is whole) and zhibu doctor, and start web and worker when both are content."
