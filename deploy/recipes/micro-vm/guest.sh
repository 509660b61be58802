#!/bin/sh
# In the micro-VM, as root: leads the gateway's name and port to the host by vsock, then becomes the command that it is given.
# The machine has no network device. Whoever ends TLS has the name's certificate, so the bridge sees ciphertext alone.
set -eu
name=${1:?the name in the certificate of the gateway}
shift
# 2 is the host, for every guest.
bridge=${BRIDGE:-VSOCK-CONNECT:2:8443}
ip link set lo up
printf '127.0.0.1 %s\n' "$name" >> /etc/hosts
socat TCP-LISTEN:8443,bind=127.0.0.1,fork,reuseaddr "$bridge" &
until socat -u OPEN:/dev/null TCP:127.0.0.1:8443 2> /dev/null; do
  kill -0 $! && sleep 0.05
done
exec "$@"
