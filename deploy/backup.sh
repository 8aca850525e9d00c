#!/bin/sh
# backup.sh FOLDER: one consistent backup of the whole school, while it works. Keeps BACKUP_DAYS (30) days of them.
# Needs ZHIBU_OWNER_DATABASE_URL, and pg_dump of the server's major version: a newer one writes what an older server refuses.
set -eu
: "${ZHIBU_OWNER_DATABASE_URL:?请先设置 / please set ZHIBU_OWNER_DATABASE_URL (/etc/zhibu/zhibu-owner.env)}"
folder=${1:?用法 / usage: backup.sh 目录 FOLDER}
umask 077
# Of several servers in the address, the one that takes changes: another may be behind.
export PGTARGETSESSIONATTRS="${PGTARGETSESSIONATTRS:-read-write}"
mkdir -p "$folder"
file=$folder/zhibu-$(date -u +%Y%m%dT%H%M%SZ).dump
trap 'rm -f "$file.new"' EXIT
pg_dump --format=custom --no-owner --lock-wait-timeout=60s --dbname="$ZHIBU_OWNER_DATABASE_URL" --file="$file.new"
# A backup counts when it can be read to its end.
pg_restore --file=/dev/null "$file.new"
mv "$file.new" "$file"
find "$folder" -name 'zhibu-*.dump' -mtime "+${BACKUP_DAYS:-30}" -delete
echo "$file"
