# The single-file gateway in an image: root's, and not readable by who runs it, so that the kernel closes its memory and environment to
# others of its user from its first instruction.
# Build context: a checkout.
FROM node:26-slim AS build
# What the runtime that `npm ci` brings is linked with, and slim images lack.
RUN apt-get update && apt-get install -y --no-install-recommends libatomic1
WORKDIR /src
COPY . .
RUN npm ci && npm run build:gateway -- --install /out

FROM debian:stable-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libatomic1 libstdc++6 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/upstreamproxy-gateway /usr/local/bin/upstreamproxy
# COPY keeps the mode, and this fails the build if it did not, or if the program does not start here.
# By number, so that Kubernetes can tell that it is not root. A fresh volume takes the owner of the folder at its place.
RUN test "$(stat -c '%u %a' /usr/local/bin/upstreamproxy)" = "0 711" && upstreamproxy version \
  && install -d -o 10001 -g 10001 -m 0700 /var/lib/upstreamproxy
USER 10001:10001
EXPOSE 8443
# /etc/upstreamproxy is mounted: gateway.yaml, and beside it the policy. Secrets are files: `source: { file: … }`.
CMD ["upstreamproxy", "gateway", "--config", "/etc/upstreamproxy/gateway.yaml"]
