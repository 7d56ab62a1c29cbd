#!/bin/sh
# Start the Kafka of compose.yaml. The first time it makes the storage, and in it the users whose passwords are there.
set -eu
for file in /run/secrets/kafka-*; do
  set -- "$@" --add-scram "SCRAM-SHA-512=[name=livefuse-${file##*/kafka-},password=$(cat "$file")]"
done
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id bGl2ZWZ1c2UtY29tcG9zZQ \
  --config /etc/livefuse/server.properties "$@"
exec /opt/kafka/bin/kafka-server-start.sh /etc/livefuse/server.properties
