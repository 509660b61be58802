# The gateway in an image: Node and the package, as a user that owns nothing but the state.
# Build context: a checkout.
FROM node:26-slim AS build
WORKDIR /src
COPY . .
RUN npm ci && npm pack --pack-destination /out

FROM node:26-slim
COPY --from=build /out/upstreamproxy-*.tgz /tmp/upstreamproxy.tgz
# By number, so that Kubernetes can tell that it is not root. A fresh volume takes the owner of the folder at its place.
RUN npm install --global --no-audit --no-fund /tmp/upstreamproxy.tgz && rm /tmp/upstreamproxy.tgz \
  && install -d -o 10001 -g 10001 -m 0700 /var/lib/upstreamproxy
USER 10001:10001
EXPOSE 8443
# /etc/upstreamproxy is mounted: gateway.yaml, and beside it the policy.
CMD ["upstreamproxy", "gateway", "--config", "/etc/upstreamproxy/gateway.yaml"]
