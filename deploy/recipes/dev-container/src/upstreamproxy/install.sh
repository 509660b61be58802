#!/bin/sh
# Runs as root while the image is built. PACKAGE and GATEWAY are the options of the Feature.
set -eu
for tool in npm setpriv useradd; do
  command -v "$tool" > /dev/null || {
    echo "The Feature upstreamproxy needs $tool. For npm, add the Feature ghcr.io/devcontainers/features/node; setpriv is in util-linux." >&2
    exit 1
  }
done

npm install --global --ignore-scripts --include=optional --no-audit --no-fund "${PACKAGE:-upstreamproxy}"
upstreamproxy --version

# The agent has a user of its own, so that the memory of its process is not that of the tools.
id upstreamproxy > /dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin upstreamproxy

folder=/usr/local/share/upstreamproxy
install -d -m 0755 "$folder"
printf '%s\n' "${GATEWAY:-https://gateway:8443}" > "$folder/gateway"
install -m 0755 "$(dirname "$0")/start.sh" "$folder/start.sh"

# What the terminals of tools read: the rest of the variables, and those of placeholders.
cat > /etc/profile.d/upstreamproxy.sh <<'PROFILE'
[ -r /run/upstreamproxy/environment.sh ] && . /run/upstreamproxy/environment.sh
PROFILE
if [ -f /etc/bash.bashrc ] && ! grep -q /etc/profile.d/upstreamproxy.sh /etc/bash.bashrc; then
  echo '. /etc/profile.d/upstreamproxy.sh' >> /etc/bash.bashrc
fi
