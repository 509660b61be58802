#!/bin/sh
# Issues the token for the next start of a dev container: issue-token.sh SUBJECT FOLDER, FOLDER being that of the project.
# The token goes into a volume of Docker, in which root alone can enter: a file of yours would be the container's user's too.
set -eu
subject=$1
folder=$2
cd "$(dirname "$0")"
# A container that runs has its session, and a second token would lie there unused.
running=$(docker ps --quiet --filter "label=devcontainer.local_folder=$folder")
[ -z "$running" ] || exit 0
token=$(docker compose exec -T gateway upstreamproxy token issue --config /etc/upstreamproxy/gateway.yaml --subject "$subject")
printf '%s\n' "$token" | docker run --rm --interactive --user 0 --network none --volume "$subject-token:/secrets" \
  --entrypoint /bin/sh images.example.com/devcontainer:1 -c 'chmod 0700 /secrets && umask 077 && cat > /secrets/token'
