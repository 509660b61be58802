// Capture beside what a machine has: its resolvers, a network that leads somewhere, and the protocols of its clients.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startGrpcOrigin } from './protocol-matrix/grpc-origin.ts';
import { http2Origin } from '../gateway/support/http2-origin.ts';
import { captureScene, obstacle, self, users, type CaptureUser } from '../support/capture-scene.ts';
import { runCommand } from '../support/command.ts';
import { leakScript } from '../support/leak-script.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';

const isRoot = process.geteuid?.() === 0;
const grpcClient = fileURLToPath(new URL('protocol-matrix/grpc-client.ts', import.meta.url));
const loopback = ['127.0.0.1/32'];
const oneOf = (...reasons: readonly (string | false)[]): string | false =>
  reasons.find((reason) => reason !== false) ?? false;

for (const user of users) {
  const skip = (...tools: readonly string[]): string | false => oneOf(skipWithout(...tools), obstacle(user));

  test(
    `${user.name}: HTTP/2 stays HTTP/2, captured and by the relay, and the gateway's own host responds`,
    { skip: skip('curl') },
    async () => {
      const authority = createTestAuthority();
      await using origin = await http2Origin(authority, true);
      const rules = [{ name: 'h2', hosts: ['allowed.test'], ports: [origin.port], addresses: loopback }];
      await using scene = await captureScene(user, { authority, rules });
      const url = `https://allowed.test:${origin.port}/`;
      const ask = `curl --http2 -sS -o /dev/null -w '%{http_version} %{http_code} %{remote_ip}\\n' ${url}`;
      const own = `curl -sS -o /dev/null -w '%{http_code}\\n' https://upstreamproxy.invalid/doctor`;
      const captured = await scene.run(['--capture-only'], `${ask}; ${own}`);
      assert.match(captured.stdout, /^2 200 198\.1[89]\.[0-9.]+\n200\n$/, captured.stderr);
      const relayed = await scene.run([], ask);
      assert.match(relayed.stdout, /^2 200 127\.0\.0\.1\n$/, relayed.stderr);
      assert.equal(origin.seen.length, 2);
    },
  );

  test(
    `${user.name}: gRPC calls of every kind, captured and by the relay`,
    { skip: obstacle(user) },
    async () => {
      const authority = createTestAuthority();
      await using origin = await startGrpcOrigin(authority);
      const rules = [{ name: 'grpc', hosts: ['grpc.test'], ports: [origin.port], addresses: loopback }];
      await using scene = await captureScene(user, { authority, rules });
      const call = (what: string): string =>
        `'${process.execPath}' ${grpcClient} ${what} grpc.test:${origin.port}`;
      const script = ['unary', 'server-stream', 'client-stream', 'bidirectional'].map(call).join(' && ');
      for (const options of [['--capture-only'], []]) {
        const { code, stdout, stderr } = await scene.run(options, script);
        assert.equal(code, 0, stderr);
        assert.match(stdout, /hello[\s\S]*event 4[\s\S]*500000[\s\S]*three/);
      }
    },
  );

  test(
    `${user.name}: a port that no rule names is captured too, and keeps its number; with --capture-ports policy it is refused at once`,
    { skip: skip('curl') },
    async () => {
      await using scene = await captureScene(user);
      const refused = `curl -sS -w '%{http_code}\\n' https://api.test:9443/ 2>&1`;
      const script = `
        ${refused}
        curl -sS ${scene.origin.url('api.test', '/hello')}
        curl -sS -o /dev/null -w '%{http_code}\\n' https://upstreamproxy.invalid/doctor
        '${process.execPath}' -e 'require("net").connect(${scene.tcpPort}, "db.test").once("data", (text) => { console.log(String(text).trim()); process.exit(); })'`;
      for (const options of [[], ['--capture-ports', 'all']]) {
        const { stdout, stderr } = await scene.run(['--capture-only', ...options], script);
        assert.match(stdout, /api\.test:9443[\s\S]*\n403\nhello\n200\nready\n$/, stderr);
      }
      const fewer = await scene.run(['--capture-only', '--capture-ports', 'policy'], refused);
      assert.match(fewer.stdout, /Could not connect|Connection refused|Failed to connect/);
    },
  );

  test(
    `${user.name}: a resolv.conf that is a link, and resolvers that listen on sockets, give way inside and stay outside`,
    { skip: oneOf(isRoot ? false : 'only root can lay out the folders', skip('curl', 'mount')) },
    async () => {
      await using scene = await captureScene(besideResolvers(user));
      const script = `
        cat /etc/resolv.conf | grep nameserver
        ls -A /run/systemd/resolve /run/nscd /run/avahi-daemon
        curl -sS ${scene.origin.url('api.test', '/hello')}`;
      const { stdout, stderr } = await scene.run(['--capture-only'], script);
      const inside = `nameserver 127.0.0.1
/run/avahi-daemon:

/run/nscd:

/run/systemd/resolve:
stub-resolv.conf
hello
`;
      const outside = `../run/systemd/resolve/stub-resolv.conf
nameserver 192.0.2.53
/run/nscd/socket
/run/systemd/resolve/io.systemd.Resolve
/run/systemd/resolve/stub-resolv.conf
`;
      assert.equal(stdout, inside + outside, stderr);
    },
  );
}

const lesserRoot: CaptureUser = {
  name: 'root without CAP_SYS_ADMIN',
  uid: 0,
  prefix: ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin'],
};

test(
  'root without CAP_SYS_ADMIN is captured too, and keeps all users and their files',
  {
    skip: oneOf(
      isRoot ? false : 'only root can be that',
      skipWithout('curl', 'setpriv'),
      obstacle(users.at(-1) ?? self),
    ),
  },
  async () => {
    await using scene = await captureScene(lesserRoot);
    const script = `
      id -u; touch file && chown 1234:5678 file && stat -c %u:%g file
      setpriv --reuid 4321 --clear-groups id -u
      curl -sS ${scene.origin.url('api.test', '/hello')}
      unshare --net true 2>/dev/null || echo no more`;
    const { stdout, stderr } = await scene.run(['--capture-only'], script);
    assert.equal(stdout, '0\n1234:5678\n4321\nhello\nno more\n', stderr);
  },
);

/** The user on a machine with systemd-resolved and nscd, as far as files go; prints at the end what is outside. */
function besideResolvers(user: CaptureUser): CaptureUser {
  const layOut = `
    set -e
    mount -t tmpfs etc /mnt && cp -a /etc/. /mnt/ && rm -f /mnt/resolv.conf
    ln -s ../run/systemd/resolve/stub-resolv.conf /mnt/resolv.conf
    mount --bind /mnt /etc
    mount -t tmpfs -o mode=755 run /run
    mkdir -p /run/systemd/resolve /run/nscd /run/avahi-daemon
    echo nameserver 192.0.2.53 > /run/systemd/resolve/stub-resolv.conf
    touch /run/nscd/socket /run/systemd/resolve/io.systemd.Resolve
    set +e
    "$0" "$@"; code=$?
    readlink /etc/resolv.conf; cat /etc/resolv.conf; ls -d /run/nscd/* /run/systemd/resolve/*
    exit $code`;
  const [file = 'env', ...rest] = user.prefix;
  return {
    ...user,
    prefix: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', layOut, file, ...rest],
  };
}

test(
  'the ways out that are tried inside lead out of a network that has a route',
  { skip: oneOf(skipWithout('python3', 'ip', 'unshare'), obstacle(users.at(-1) ?? self)) },
  async () => {
    await using directory = await temporaryDirectory();
    const script = join(directory.path, 'leaks.py');
    await writeFile(script, leakScript(40_123), { mode: 0o644 });
    const network = `
      set -e
      ip link set lo up
      ip link add eth0 type veth peer name eth1 && ip link set eth1 up && ip link set eth0 up
      ip addr add 192.0.2.1/24 broadcast 192.0.2.255 dev eth0
      ip route add default dev eth0
      ip -6 addr add 2001:db8::1/64 dev eth0 nodad
      # The kernel makes the route of an address once it has seen that the line is up.
      for turn in $(seq 100); do ip -6 route get 2001:db8::1 > /dev/null 2>&1 && break; sleep 0.1; done
      echo 0 0 > /proc/sys/net/ipv4/ping_group_range
      exec python3 ${script} serve`;
    const args = ['--user', '--map-root-user', '--net', 'sh', '-c', network];
    const { stdout, stderr } = await runCommand('unshare', args);
    const expected = [
      ...['127.0.0.1', '192.0.2.1', '::1', '2001:db8::1'].map((address) => `tcp ${address}: reached`),
      ...['udp 192.0.2.1', 'udp 2001:db8::1', 'udp broadcast', 'icmp', 'ping', 'packet eth0'].map(
        (way) => `${way}: sent`,
      ),
      'administration: held',
    ];
    const lines = stdout.trim().split('\n');
    for (const line of expected) assert.ok(lines.includes(line), `${line}, of\n${stdout}${stderr}`);
    assert.ok(lines.some((line) => /^interfaces: .*eth0/.test(line)));
  },
);
