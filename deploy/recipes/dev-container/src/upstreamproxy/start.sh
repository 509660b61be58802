#!/bin/sh
# The entry point of the Feature: starts the agent when the container starts, as root, and goes on when the proxy serves.
# The token and the gateway's authority are mounted. The token is in a folder that nobody but root can enter.
set -eu
# The PATH of the image begins with folders that the user of the container can write.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
token=/run/secrets/upstreamproxy/token
authority=/run/secrets/upstreamproxy-ca.pem
state=/run/upstreamproxy
gateway=$(cat /usr/local/share/upstreamproxy/gateway)

chmod 0700 "$(dirname "$token")"
install -d -o upstreamproxy -m 0755 "$state"
# Of an earlier start of this container: it would end the wait below.
rm -f "$state/environment.sh"
# The token goes over by a descriptor, for the user of the agent cannot read the file either.
setpriv --reuid upstreamproxy --regid upstreamproxy --clear-groups --no-new-privs \
  env -i PATH="$PATH" HOME=/nonexistent \
  /usr/local/lib/upstreamproxy/node_modules/.bin/upstreamproxy agent --gateway "$gateway" --gateway-ca "$authority" \
  --token-fd 3 --relay-port 3128 --state "$state" --env-file "$state/environment.sh" \
  3< "$token" > /dev/null 2> "$state/agent.log" &
agent=$!

tries=300
until [ -s "$state/environment.sh" ]; do
  tries=$((tries - 1))
  if [ "$tries" -eq 0 ] || ! kill -0 "$agent" 2> /dev/null; then
    echo "upstreamproxy: the agent did not start, so the container has no way out:" >&2
    cat "$state/agent.log" >&2
    exit 1
  fi
  sleep 0.1
done
# The agent has read it, and it is used up; nothing of it has to stay.
: > "$token"
