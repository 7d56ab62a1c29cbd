#!/bin/sh
# Make what compose.yaml needs to know in secret: once, before the first `docker compose up`. What is there stays.
#
#     ./secrets.sh [DIRECTORY]         # ./secrets; for another one set LIVEFUSE_SECRETS, too
#
# The directory is its owner's alone. The files in it can be read, for in the containers they are read by nobody.
set -eu
directory=${1:-$(dirname "$0")/secrets}
mkdir -p "$directory"
chmod 700 "$directory"
cd "$directory"

# Passwords of Kafka's users: root, who grants the rights, and one for each role (livefuse topics acls). To change one
# later, change it in Kafka, too: kafka-configs.sh --alter --add-config.
for name in root shop intake worker pager console operator admin monitoring reader auditor; do
  test -s "kafka-$name" || openssl rand -hex 24 > "kafka-$name"
done
test -s grafana || openssl rand -hex 16 > grafana

# An authority that signs one certificate, Kafka's, and is then thrown away.
if ! test -s kafka.pem; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  openssl req -x509 -newkey rsa:3072 -nodes -subj "/CN=livefuse compose" -days 3650 -keyout "$work/ca.key" -out ca.crt 2>/dev/null
  openssl req -newkey rsa:3072 -nodes -subj /CN=kafka -keyout "$work/kafka.key" -out "$work/kafka.csr" 2>/dev/null
  echo "subjectAltName=DNS:kafka,DNS:localhost" > "$work/names"
  openssl x509 -req -in "$work/kafka.csr" -CA ca.crt -CAkey "$work/ca.key" -CAcreateserial -CAserial "$work/serial" -days 3650 \
    -extfile "$work/names" -out "$work/kafka.crt" 2>/dev/null
  cat "$work/kafka.key" "$work/kafka.crt" > kafka.pem
fi

# What alertmanager.yml names (addresses and keys of receivers) is yours to put here.
mkdir -p alertmanager
chmod 755 alertmanager
find . -type f -exec chmod 444 {} +
