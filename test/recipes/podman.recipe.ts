// The files of deploy/recipes/podman: Quadlet takes them, and the commands that it makes of them are run by Podman. Networks, mounts, secrets
// and options are those of the files. In place of the images stand the files of this machine, and the user that each image names.

import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { runCommand } from '../support/command.ts';
import { launcher } from '../support/program.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';

const folder = fileURLToPath(new URL('../../deploy/recipes/podman', import.meta.url));
const quadlet = '/usr/libexec/podman/quadlet';
const obstacle =
  process.getuid?.() === 0
    ? skipWithout('podman', 'unshare', 'mount', 'ip', 'awk', 'curl', 'python3')
    : 'containers of this test need root';

/** What the images are: program and user. */
const images = {
  gateway: { user: '10001', start: `${launcher} gateway --config /etc/upstreamproxy/gateway.yaml` },
  agent: { user: '65532', start: launcher },
  tool: { user: '1000', start: '' },
} as const;

type Name = keyof typeof images;

/** What the tool does in place of its task: one line for each way that it tries. */
const attempts = `
curl -sS https://api.example.com/v1/items | head -1
ip route show default | grep -q . && echo 'default route'
getent hosts example.com > /dev/null && echo 'names'
curl -s --noproxy '*' --max-time 3 -o /dev/null http://10.88.0.1/ ; echo "host: $?"
grep -v ' lo$' /proc/net/if_inet6
curl -sg --noproxy '*' --max-time 3 "http://[$(cat /work/host-address)%25eth0]:8099/said"
curl -sk --noproxy '*' --max-time 5 -o /dev/null -w 'gateway: %{http_code}\\n' https://10.231.7.2:8443/healthz
ls /run/secrets 2> /dev/null
grep -l '[r]elay-port' /proc/[0-9]*/cmdline 2> /dev/null
echo end`;

/** The start of each service, as Quadlet makes it. */
async function serviceStarts(): Promise<ReadonlyMap<string, string>> {
  const env = { ...process.env, QUADLET_UNIT_DIRS: folder };
  const { code, stdout, stderr } = await runCommand(quadlet, ['--dryrun', '--user'], { env });
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /unsupported|error|warning/i);
  return new Map(
    [...stdout.matchAll(/^---(\S+)\.service---$(.*?)^ExecStart=(.*?)$/gms)].map(
      ([, name = '', , start = '']) => [name, start],
    ),
  );
}

/** The same for this test: without systemd, and with files of this machine. */
function startOf(name: Name, command: string, place: string): string {
  const { user, start } = images[name];
  const image = /images\.example\.com\/\S+/;
  assert.match(command, image);
  const said = command
    .replace('/usr/bin/podman', '$P')
    .replaceAll(/ --(?:cidfile|sdnotify)=\S+/g, '')
    .replace('--cgroups=split', '--cgroups=disabled')
    .replaceAll('%E', join(place, 'config'))
    .replaceAll('%h', join(place, 'home'));
  const rootFiles = `--user ${user} --env HOME=/tmp --rootfs ${place}/${name}/m ${start}`;
  if (name !== 'tool') return said.replace(image, rootFiles);
  // Its unit is of the type oneshot, and what it prints is looked at.
  const withoutTask = said.replace('exec npm test', '. /work/attempts.sh');
  assert.notEqual(withoutTask, said);
  return withoutTask.replace(' -d ', ' ').replace(image, rootFiles);
}

function script(starts: ReadonlyMap<string, string>, place: string): string {
  const start = (name: Name): string => startOf(name, starts.get(name) ?? '', place);
  const of = (name: string): string => (starts.get(name) ?? '').replace('/usr/bin/podman', '$P');
  const roots = Object.keys(images).map(
    (name) => `root ${place}/${name}
`,
  );
  const operator = `$P exec gateway ${launcher}`;
  return `set -eu
umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
linkAddress() { ip -6 -o address show dev $1 scope link | awk '{ sub("/.*", "", $4); print $4 }'; }
# An overlay of this machine's files, whose temporary folders are empty.
root() {
  mkdir -p $1 && mount -t tmpfs tmpfs $1 && mkdir -p $1/u/tmp $1/u/run $1/u/var/tmp $1/w $1/m && chmod 1777 $1/u/tmp $1/u/var/tmp
  python3 -c 'import os, sys; [os.setxattr(sys.argv[1] + path, "trusted.overlay.opaque", b"y") for path in ("/tmp", "/run", "/var/tmp")]' $1/u
  mount -t overlay overlay -o lowerdir=/,upperdir=$1/u,workdir=$1/w $1/m
}
${roots.join('')}P="podman --cgroup-manager cgroupfs --root ${place}/podman --runroot ${place}/run --network-config-dir ${place}/networks"
# What listens on the host, at its address of the link too.
(cd ${place}/served && exec python3 -m http.server --bind :: 8099 > /dev/null 2>&1) & server=$!
trap '$P rm -f -t 0 tool agent gateway > /dev/null 2>&1; $P network rm -f inside outside > /dev/null 2>&1; kill $server' EXIT
printf example-secret-1 | $P secret create api-token - > /dev/null
${of('inside-network')} > /dev/null
${of('outside-network')} > /dev/null
${of('trust-volume')} > /dev/null
${start('gateway')} > /dev/null
tries=100
until ${operator} ca show --server --config /etc/upstreamproxy/gateway.yaml > ${place}/ca.pem 2> /dev/null; do
  tries=$((tries - 1)); [ $tries -gt 0 ] || { $P logs gateway >&2; exit 1; }; sleep 0.2
done
$P secret create --replace gateway-ca ${place}/ca.pem > /dev/null
${operator} token issue --config /etc/upstreamproxy/gateway.yaml --subject sandbox | $P secret create --replace upstreamproxy-token - > /dev/null
${start('agent')} > /dev/null
bridge=$($P network inspect inside --format '{{.NetworkInterface}}')
tries=100
until [ "$(curl -sg --max-time 3 "http://[$(linkAddress $bridge)%25$bridge]:8099/said")" = 'the host' ]; do
  tries=$((tries - 1)); [ $tries -gt 0 ] || { echo 'the host is not at its address of the link' >&2; exit 1; }; sleep 0.2
done
linkAddress $bridge > ${place}/home/project/host-address
timeout 60 ${start('tool')} || { $P logs agent >&2; $P logs gateway >&2; exit 1; }
`;
}

test(
  'the files for Podman make containers whose tool reaches the gateway, and nothing else',
  { skip: obstacle },
  async () => {
    await withTemporaryDirectory(async (place) => {
      await chmod(place, 0o755);
      await mkdir(join(place, 'config/upstreamproxy'), { recursive: true });
      await mkdir(join(place, 'home/project'), { recursive: true });
      await mkdir(join(place, 'served'));
      await writeFile(join(place, 'served/said'), 'the host\n');
      for (const name of ['gateway.yaml', 'policy.yaml'])
        await runCommand('cp', [join(folder, name), join(place, 'config/upstreamproxy', name)]);
      await writeFile(join(place, 'home/project/attempts.sh'), attempts);
      const starts = await serviceStarts();
      const names = ['agent', 'gateway', 'inside-network', 'outside-network', 'tool', 'trust-volume'];
      assert.deepEqual([...starts.keys()].toSorted(), names);
      const args = ['-m', '-n', '--propagation', 'private', 'sh', '-c', script(starts, place)];
      const { code, stdout, stderr } = await runCommand('unshare', args);
      assert.equal(code, 0, stderr);
      const [refused = '', ...others] = stdout.trimEnd().split('\n');
      assert.match(refused, /^upstreamproxy: No rule allows GET https:\/\/api\.example\.com\/v1\/items\./);
      assert.deepEqual(others, ['host: 7', 'gateway: 200', 'end'], stderr);
    });
  },
);
