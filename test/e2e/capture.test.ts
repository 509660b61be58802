// Capture without firewall rules: a command that knows of no proxy, in a network of its own, as root and as nobody.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { stringify } from 'yaml';

import { runCommand, type CommandResult } from '../support/command.ts';
import { gitServer } from '../support/git-server.ts';
import { httpsOrigin, type Origin } from '../support/origin.ts';
import { isRunning, launcher, waitForFile, waitUntil } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority, type TestAuthority } from '../support/test-authority.ts';
import { findTool } from '../support/tools.ts';

const nobody = 65534;
const isRoot = process.geteuid?.() === 0;

/** Who the agent runs as. Nobody has no capability, and none to get. */
interface User {
  readonly name: string;
  readonly uid: number;
  readonly prefix: readonly string[];
}

const self: User = { name: isRoot ? 'root' : 'this user', uid: process.geteuid?.() ?? 0, prefix: [] };
const dropped: User = {
  name: 'nobody without capabilities',
  uid: nobody,
  prefix: [
    'setpriv',
    `--reuid=${nobody}`,
    `--regid=${nobody}`,
    '--clear-groups',
    '--inh-caps=-all',
    '--bounding-set=-all',
  ],
};
const users: readonly User[] = isRoot ? [self, dropped] : [self];

/** Why this user has no namespaces here, or false. */
function obstacle({ uid, prefix }: User): string | false {
  const options = uid === 0 ? [] : ['--user', '--map-current-user', '--keep-caps'];
  const [file = '', ...args] = [...prefix, 'unshare', ...options, '--net', '--mount', 'true'];
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  if (status === 0) return false;
  return `no network namespace for ${uid === 0 ? 'root' : 'an ordinary user'} here: ${stderr?.trim() ?? error?.message}`;
}

interface Scene extends AsyncDisposable {
  readonly directory: string;
  readonly origin: Origin;
  readonly tcpPort: number;
  run(options: readonly string[], script: string): Promise<CommandResult>;
  /** File and arguments, for a test that starts it itself. */
  command(options: readonly string[], script: string): readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
}

const rulesFor = (origin: Origin, tcpPort: number, more: readonly object[]): readonly object[] => [
  {
    name: 'hello',
    hosts: ['api.test'],
    ports: [origin.port],
    paths: ['/hello'],
    addresses: ['127.0.0.1/32'],
  },
  { name: 'raw', hosts: ['db.test'], scheme: 'tcp', ports: [tcpPort], addresses: ['127.0.0.1/32'] },
  ...more,
];

async function scene(
  user: User,
  more: { readonly authority?: TestAuthority; readonly rules?: readonly object[] } = {},
): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(await temporaryDirectory());
  const authority = more.authority ?? createTestAuthority();
  const origin = stack.use(await httpsOrigin({ authority }));
  // A protocol in which the server speaks first, and then repeats what it hears.
  const greeter = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('ready\n');
    socket.pipe(socket);
  });
  greeter.listen({ host: '127.0.0.1', port: 0 });
  await once(greeter, 'listening');
  stack.defer(() => closed(greeter));
  const { port: tcpPort } = greeter.address() as AddressInfo;
  const rules = rulesFor(origin, tcpPort, more.rules ?? []);
  const hosts = Object.fromEntries(['api', 'db', 'git'].map((name) => [`${name}.test`, '127.0.0.1']));
  const files = {
    'ca.pem': authority.caPem,
    'policy.yaml': stringify({ rules }, { aliasDuplicateObjects: false }),
    'gateway.yaml': stringify({ policy: 'policy.yaml', upstream: { ca: 'ca.pem', hosts } }),
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(directory, name), text);
    if (isRoot) await chown(join(directory, name), user.uid, user.uid);
  }
  if (isRoot) await chown(directory, user.uid, user.uid);
  const env = { PATH: process.env['PATH'], HOME: directory, XDG_STATE_HOME: directory, TMPDIR: directory };
  const command: Scene['command'] = (options, script) => {
    const config = join(directory, 'gateway.yaml');
    const args = ['run', '--config', config, ...options, '--', 'sh', '-c', script];
    const [file = '', ...rest] = [...user.prefix, launcher, ...args];
    return [file, ...rest];
  };
  const run: Scene['run'] = (options, script) => {
    const [file, ...args] = command(options, script);
    return runCommand(file, args, { env, cwd: directory });
  };
  const owned = stack.move();
  return { directory, origin, tcpPort, run, command, env, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

/** A script of Node, for the shell. It has no quote of that kind inside. */
const node = (script: string): string => `'${process.execPath}' -e '${script}'`;

/** Connects, prints what comes until there are `bytes`, or the error. */
const connectScript = (host: string, port: number, send = ''): string =>
  node(`
    const socket = require("net").connect(${port}, "${host}");
    let text = "";
    socket.setTimeout(10000, () => { console.log("timeout"); process.exit(); });
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
      assert.equal(stdout, '"ready\\n\\u0001echo"\nECONNRESET\nECONNRESET\nECONNREFUSED\n', stderr);
    },
  );

  test(`${user.name}: a flood of names is answered, by UDP and by TCP`, { skip: refused }, async () => {
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
      const outside = createServer((socket) => socket.end('reached'));
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
      const [file, ...args] = set.command([], `echo $$ > ${started}; exec sleep 60`);
      const child = spawn(file, args, { env: set.env, stdio: ['ignore', 'ignore', 'inherit'] });
      const pid = Number(await waitForFile(started));
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
    assert.match(auto.stderr, /^upstreamproxy: the jail is without network \(unshare: [^\n]+\)\n$/m);
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
    mounts: (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .filter((line) => line.includes('upstream')),
    addresses: await readFile('/proc/net/fib_trie', 'utf8').then((text) => text.includes('198.18')),
    resolvConf: await readFile('/etc/resolv.conf', 'utf8').catch(() => undefined),
    namespaces: (await readdir('/run/netns').catch(() => [])).filter((name) => name.includes('capture')),
  };
}

/** Twelve ways out and what would open others, a line each. */
function leakScript(port: number): string {
  return `
import errno, socket, struct

def tell(name, attempt):
    try:
        print(name + ": " + attempt())
    except OSError as error:
        print(name + ": " + errno.errorcode.get(error.errno, str(error)))

def tcp(family, address):
    def attempt():
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.settimeout(5)
            s.connect((address, ${port}))
            return s.recv(100).decode()
    return attempt

def udp(family, address, sockopt=None):
    def attempt():
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            if sockopt: s.setsockopt(*sockopt)
            s.sendto(b"x", (address, 53))
            return "sent"
    return attempt

def raw(family, kind, protocol, address):
    def attempt():
        with socket.socket(family, kind, protocol) as s:
            s.sendto(b"\\x08\\x00\\xf7\\xff\\x00\\x00\\x00\\x00", address)
            return "sent"
    return attempt

def packet(interface):
    def attempt():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300) as s:
            s.bind((interface, 0))
            return "sent"
    return attempt

def interfaces():
    names = [name for _, name in socket.if_nameindex()]
    return "only lo" if names == ["lo"] else " ".join(names)

def administration():
    status = open("/proc/self/status").read()
    effective = int(status.split("CapEff:")[1].split()[0], 16)
    return "held" if effective & (1 << 12 | 1 << 19 | 1 << 21) else "none"

v4, v6 = socket.AF_INET, socket.AF_INET6
tell("tcp 127.0.0.1", tcp(v4, "127.0.0.1"))
tell("tcp 192.0.2.1", tcp(v4, "192.0.2.1"))
tell("tcp ::1", tcp(v6, "::1"))
tell("tcp 2001:db8::1", tcp(v6, "2001:db8::1"))
tell("tcp link-local", tcp(v6, "fe80::1"))
tell("udp 192.0.2.1", udp(v4, "192.0.2.1"))
tell("udp 2001:db8::1", udp(v6, "2001:db8::1"))
tell("udp broadcast", udp(v4, "255.255.255.255", (socket.SOL_SOCKET, socket.SO_BROADCAST, 1)))
tell("icmp", raw(v4, socket.SOCK_RAW, socket.IPPROTO_ICMP, ("192.0.2.1", 0)))
tell("ping", raw(v4, socket.SOCK_DGRAM, socket.IPPROTO_ICMP, ("192.0.2.1", 0)))
tell("packet eth0", packet("eth0"))
tell("interfaces", interfaces)
tell("administration", administration)
`;
}
