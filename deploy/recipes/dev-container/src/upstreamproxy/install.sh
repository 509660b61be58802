#!/bin/sh
# Runs as root while the image is built. PACKAGE and GATEWAY are the options of the Feature.
set -eu
umask 022
for tool in npm setpriv useradd; do
  command -v "$tool" > /dev/null || {
    echo "The Feature upstreamproxy needs $tool. For npm, add the Feature ghcr.io/devcontainers/features/node; setpriv is in util-linux." >&2
    exit 1
  }
done

# The agent and its Node are in a folder of root's: root starts them, and what the Feature `node` installs is writable by the user.
place=/usr/local/lib/upstreamproxy
install -d -m 0755 "$place"
npm install --prefix "$place" --global=false --ignore-scripts --include=optional --no-audit --no-fund -- "$PACKAGE"
open=$(find "$place" ! -type l '(' ! -user 0 -o -perm -0020 -o -perm -0002 ')' | head -n 1)
[ -z "$open" ] || {
  echo "The Feature upstreamproxy needs files that only root can change, and $open is not one." >&2
  exit 1
}
"$place/node_modules/.bin/upstreamproxy" --version
ln -sf "$place/node_modules/.bin/upstreamproxy" /usr/local/bin/upstreamproxy

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
