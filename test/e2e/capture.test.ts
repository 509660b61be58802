// Capture without firewall rules: a command that knows of no proxy, in a network of its own, as root and as nobody.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { descendantsOf } from '../../src/agent/kernel/process-table.ts';
import { captureScene as scene, closed, obstacle, self, users } from '../support/capture-scene.ts';
import { runCommand } from '../support/command.ts';
import { leakScript } from '../support/leak-script.ts';
import { gitServer } from '../support/git-server.ts';
import { mountPlaces } from '../support/mount-places.ts';
import { patienceMs } from '../support/patience.ts';
import { isRunning, waitForFile, waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { findTool } from '../support/tools.ts';

/** A script of Node, for the shell. It has no quote of that kind inside. */
const node = (script: string): string => `'${process.execPath}' -e '${script}'`;

/** Connects, prints what comes until there are `bytes`, or the error. */
const connectScript = (host: string, port: number, send = ''): string =>
  node(`
    const socket = require("net").connect(${port}, "${host}");
    let text = "";
    socket.setTimeout(${patienceMs}, () => { console.log("timeout"); process.exit(); });
    socket.on("connect", () => socket.write("${send}"));
    socket.on("error", (error) => { console.log(error.code); process.exit(); });
    socket.on("data", (data) => {
      text += data;
      if (text.endsWith("${send}")) { console.log(JSON.stringify(text)); process.exit(); }
    });
    socket.on("close", () => console.log("closed " + JSON.stringify(text)));`);

for (const user of users) {
  const refused = obstacle(user);
  const skip = (...tools: readonly string[]): string | false => {
    const missing = tools.filter((name) => findTool(name) === undefined);
    return missing.length > 0 ? `not installed here: ${missing.join(', ')}` : refused;
  };

  test(
    `${user.name}: curl and getent without a proxy variable; denials are said inside TLS`,
    { skip: skip('curl', 'getent') },
    async () => {
      await using set = await scene(user);
      const url = set.origin.url('api.test', '/hello');
      const script = `
        env | grep -i proxy= ; id -u
        getent ahostsv4 api.test | head -1; getent ahosts localhost | grep -c '^127.0.0.1'
        curl -sS -w '%{http_code}\\n' ${url}; curl -sS ${url}/no -w '%{http_code}\\n'
        exit 7`;
      const { code, stdout, stderr } = await set.run(['--capture-only'], script);
      assert.equal(code, 7, stderr);
      assert.match(stdout, new RegExp(`^${user.uid}\\n198\\.1[89]\\.[0-9.]+ +STREAM api\\.test\\n[1-9]\\n`));
      assert.match(stdout, /\nhello\n200\n/);
      assert.match(stdout, /rule: default-deny[\s\S]*\n403\n$/);
      assert.equal(set.origin.requests.length, 1);
    },
  );

  test(
    `${user.name}: Python and the proxy variables work side by side with capture`,
    { skip: skip('python3', 'curl') },
    async () => {
      await using set = await scene(user);
      const url = set.origin.url('api.test', '/hello');
      const python = `import urllib.request as u; print(u.build_opener(u.ProxyHandler({})).open("${url}").read())`;
      const script = `python3 -c '${python}'; curl -sS -x "$https_proxy" ${url}`;
      const { code, stdout, stderr } = await set.run([], script);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, `b'hello\\n'\nhello\n`);
    },
  );

  test(`${user.name}: git clones without a proxy variable`, { skip: skip('git') }, async () => {
    const authority = createTestAuthority();
    await using git = await gitServer({ authority });
    const rules = [
      {
        name: 'git',
        hosts: ['git.test'],
        ports: [git.port],
        methods: ['GET', 'POST'],
        addresses: ['127.0.0.1/32'],
      },
    ];
    await using set = await scene(user, { authority, rules });
    const url = git.url('git.test', git.repositoryPath);
    const script = `git clone -q ${url} copy && git -C copy rev-parse HEAD`;
    const { code, stdout, stderr } = await set.run(['--capture-only'], script);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim(), git.commit);
  });

  test(
    `${user.name}: raw TCP goes by name and rule, and is reset without one`,
    { skip: refused },
    async () => {
      await using set = await scene(user);
      const script = `
        ${connectScript('db.test', set.tcpPort, '\\u0001echo')}
        ${connectScript('api.test', set.tcpPort, '\\u0001echo')}
        ${connectScript('198.18.77.77', set.tcpPort, '\\u0001echo')}
        ${connectScript('db.test', 9, '\\u0001echo')}`;
      const { stdout, stderr } = await set.run(['--capture-only'], script);
      assert.equal(stdout, '"ready\\n\\u0001echo"\nECONNRESET\nECONNRESET\nECONNRESET\n', stderr);
    },
  );

  test(`${user.name}: a flood of names gets a response, by UDP and by TCP`, { skip: refused }, async () => {
    await using set = await scene(user);
    const flood = node(`
      const { Resolver } = require("dns").promises;
      const resolver = new Resolver({ timeout: 2000, tries: 3 });
      (async () => {
        let found = 0;
        for (let round = 0; round < 40; round++) {
          const names = Array.from({ length: 50 }, (_, index) => "n" + round + "-" + index + ".test");
          found += (await Promise.all(names.map((name) => resolver.resolve4(name)))).flat().length;
        }
        console.log(found, await resolver.resolve6("a.test").catch((error) => error.code));
        const socket = require("net").connect(53, "127.0.0.1");
        const query = Buffer.from("001a00070100000100000000000003617069047465737400000100010000", "hex").subarray(0, 28);
        socket.on("data", (data) => { console.log(data.length, data.readUInt16BE(2)); socket.end(); });
        query.writeUInt16BE(26, 0);
        socket.write(query);
      })();`);
    const { code, stdout, stderr } = await set.run(
      [],
      `${flood}; ${connectScript('db.test', set.tcpPort, 'x')}`,
    );
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '2000 ENODATA\n44 7\n"ready\\nx"\n');
  });

  test(
    `${user.name}: nothing leaves but through the relay: TCP, UDP, IPv6, raw and packet sockets`,
    { skip: skip('python3') },
    async () => {
      await using set = await scene(user);
      const outside = createServer((socket) => socket.on('error', () => undefined).end('reached'));
      outside.listen({ host: '127.0.0.1', port: 0 });
      await once(outside, 'listening');
      await using stack = new AsyncDisposableStack();
      stack.defer(() => closed(outside));
      const { port } = outside.address() as AddressInfo;
      const script = join(set.directory, 'leaks.py');
      await writeFile(script, leakScript(port), { mode: 0o644 });
      // The control: outside the jail the script does reach it.
      const control = await runCommand('python3', [script]);
      assert.match(control.stdout, /^tcp 127\.0\.0\.1: reached$/m);
      const { stdout, stderr } = await set.run([], `python3 ${script}`);
      const lines = stdout.trim().split('\n');
      assert.equal(lines.length, 13, stdout + stderr);
      for (const line of lines)
        assert.match(
          line,
          /: (ENETUNREACH|ECONNREFUSED|EPERM|EACCES|EADDRNOTAVAIL|EINVAL|ENODEV|ENXIO|only lo|none)$/,
          line,
        );
    },
  );

  test(`${user.name}: a signal ends the command, and its end is that of run`, { skip: refused }, async () => {
    await using set = await scene(user);
    const started = join(set.directory, 'started');
    const [file, ...args] = set.command(
      [],
      `trap 'exit 43' TERM; echo 1 > ${started}; while :; do read x < /dev/zero & wait; done`,
    );
    const child = spawn(file, args, { env: set.env, stdio: ['ignore', 'ignore', 'inherit'] });
    await waitForFile(started);
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 43);
  });

  test(
    `${user.name}: after kill -9 of the agent the command is gone, and with it every mount and address`,
    { skip: refused },
    async () => {
      await using set = await scene(user);
      const before = await machineState();
      const started = join(set.directory, 'started');
      const [file, ...args] = set.command([], `echo > ${started}; exec sleep 60`);
      const child = spawn(file, args, { env: set.env, stdio: ['ignore', 'ignore', 'inherit'] });
      await waitForFile(started);
      const pid = await commandOf(child.pid ?? 0);
      const inside = await readFile(`/proc/${pid}/mountinfo`, 'utf8');
      assert.match(inside, /resolv\.conf/, 'the command has a resolv.conf of its own');
      assert.deepEqual(await machineState(), before, 'and nobody else has');
      child.kill('SIGKILL');
      await once(child, 'exit');
      await waitUntil('the command ends', () => !isRunning(pid));
      assert.deepEqual(await machineState(), before);
    },
  );
}

/** The command of an agent by its number outside; inside it has another. */
async function commandOf(agent: number): Promise<number> {
  const find = (): number | undefined =>
    descendantsOf(agent).find((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1') === 'sleep\x0060\x00';
      } catch {
        // It has ended.
        return false;
      }
    });
  let found: number | undefined;
  await waitUntil('the command is there', () => (found = find()) !== undefined);
  return found ?? assert.fail('it has ended');
}

test(
  'where namespaces are refused: one line says it, --quiet says nothing, require and --capture-only start nothing',
  { skip: obstacle(users.at(-1) ?? self) },
  async () => {
    const user = users.at(-1) ?? self;
    await using set = await scene({
      ...user,
      prefix: [
        ...user.prefix,
        'unshare',
        '--user',
        '--map-root-user',
        'sh',
        '-c',
        'echo 0 > /proc/sys/user/max_net_namespaces && exec "$0" "$@"',
      ],
    });
    const url = set.origin.url('api.test', '/hello');
    const auto = await set.run([], `curl -sS ${url}`);
    assert.equal(auto.stdout, 'hello\n', auto.stderr);
    assert.match(auto.stderr, /^upstreamproxy: the jail is without network \(unshare: [^\n]+\)$/m);
    assert.equal((await set.run(['--quiet'], 'true')).stderr, '');
    for (const option of ['--isolate=require', '--capture-only']) {
      const { code, stdout, stderr } = await set.run([option], 'echo started');
      assert.notEqual(code, 0);
      assert.equal(stdout, '');
      assert.match(stderr, /network \(unshare: .*\[jail_refused\]/, option);
    }
  },
);

/** What of the machine a mount or an address of ours would change. */
async function machineState(): Promise<unknown> {
  return {
    mounts: await mountPlaces(),
    addresses: await readFile('/proc/net/fib_trie', 'utf8').then((text) => text.includes('198.18')),
    resolvConf: await readFile('/etc/resolv.conf', 'utf8').catch(() => undefined),
    namespaces: (await readdir('/run/netns').catch(() => [])).filter((name) => name.includes('capture')),
  };
}
