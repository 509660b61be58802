#!/bin/sh
# ENTRYPOINT of an image whose commands all go through the gateway: `docker run IMAGE npm test`.
# The token is mounted with mode 0600 for the user of the container, and is erased once the session stands.
set -eu
exec upstreamproxy run \
  --gateway "${UPSTREAMPROXY_GATEWAY:?the address of the gateway}" \
  ${UPSTREAMPROXY_GATEWAY_CA:+--gateway-ca "$UPSTREAMPROXY_GATEWAY_CA"} \
  --token-file "${UPSTREAMPROXY_TOKEN_FILE:-/run/secrets/upstreamproxy-token}" \
  -- "$@"
