# The single-file agent in an image: root's, and not readable by who runs it.
# Build context: a checkout.
FROM node:26-slim AS build
# What the runtime that `npm ci` brings is linked with, and slim images lack.
RUN apt-get update && apt-get install -y --no-install-recommends libatomic1
WORKDIR /src
COPY . .
RUN npm ci && npm run build:agent -- --install /out

FROM debian:stable-slim
# The last folder is for trust files and environment where a volume shares them: a fresh volume takes its owner.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libatomic1 libstdc++6 && rm -rf /var/lib/apt/lists/* \
  && useradd --create-home work \
  && install -d -o work /run/upstreamproxy
COPY --from=build /out/upstreamproxy-agent /usr/local/bin/upstreamproxy-agent
# COPY keeps the mode, and this fails the build if it did not, or if the program does not start here.
RUN test "$(stat -c '%u %a' /usr/local/bin/upstreamproxy-agent)" = "0 711" && upstreamproxy-agent version
USER work
# `run` or `agent`, with --gateway, --gateway-ca and --token-file. A token never belongs into an image: mount it.
ENTRYPOINT ["/usr/local/bin/upstreamproxy-agent"]
