# The single-file agent in an image: root's, and not readable by who runs it.
# Build context: a checkout after `npm ci`.
FROM node:26-slim AS build
WORKDIR /src
COPY . .
RUN npm ci && npm run build:agent -- --install /out

FROM debian:stable-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
  && useradd --create-home work
COPY --from=build /out/upstreamproxy-agent /usr/local/bin/upstreamproxy-agent
# COPY keeps the mode, and this fails the build if it did not.
RUN test "$(stat -c '%u %a' /usr/local/bin/upstreamproxy-agent)" = "0 711"
USER work
# A token never belongs into an image: mount it, and pass --gateway, --gateway-ca and --token-file.
ENTRYPOINT ["/usr/local/bin/upstreamproxy-agent", "run"]
