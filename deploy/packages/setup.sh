# The user of the gateway, its folders, and units that are new. Part of the scripts of both packages, which run in the build of an image too: there
# is no systemd, and maybe no /proc.
if command -v systemd-sysusers > /dev/null; then
  systemd-sysusers /usr/lib/sysusers.d/upstreamproxy-gateway.conf
elif ! getent passwd upstreamproxy > /dev/null; then
  useradd --system --user-group --no-create-home --home-dir /var/lib/upstreamproxy --shell /usr/sbin/nologin upstreamproxy
fi
# Root writes the configuration, and the gateway reads it: it may name files that hold secrets.
chown root:upstreamproxy /etc/upstreamproxy
chmod 0750 /etc/upstreamproxy
for file in gateway.yaml policy.yaml; do
  if [ -e "/etc/upstreamproxy/$file" ]; then chgrp upstreamproxy "/etc/upstreamproxy/$file"; fi
done
install -d -o upstreamproxy -g upstreamproxy -m 0700 /var/lib/upstreamproxy
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || echo 'upstreamproxy: systemd did not read the new units; run systemctl daemon-reload' >&2
fi
