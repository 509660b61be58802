// Capture where namespaces are refused: on the loopback of a container that is asked to lead all its names to the agent.

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { stringify } from 'yaml';

import { withoutProxyVariables } from '../../src/cli/run/capture-only.ts';
import { runCommand, type CommandResult } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { freePort } from '../support/free-port.ts';
import { gitServer, type GitServer } from '../support/git-server.ts';
import { httpsOrigin, type Origin } from '../support/origin.ts';
import { packageRegistry } from '../support/package-registry.ts';
import { patienceMs } from '../support/patience.ts';
import {
  endChild,
  isRunning,
  launcher,
  startGatewayProcess,
  waitForFile,
  waitUntil,
} from '../support/program.ts';
import {
  containerObstacle,
  gatewayShortName,
  refusingContainer,
  type RefusingContainer,
} from '../support/refusing-container.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';

const captured = /^upstreamproxy: captured on loopback, for all of this container: a convenience, no wall$/m;
const refused =
  /^upstreamproxy: no capture on loopback, so only clients that take a proxy are served: (.*)$/m;

const authority = createTestAuthority();
const stack = new AsyncDisposableStack();
let container: RefusingContainer;
let set: Deployment;
let origin: Origin;
let git: GitServer;
let registry: Origin;
let greeter: Server;
let sessions = 0;

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** A script of Node, for the shell. It has no quote of that kind inside. */
const node = (script: string): string => `'${process.execPath}' -e '${script}'`;

/** Connects and prints the first that comes, or the error. */
const connectScript = (host: string, port: number): string =>
  node(`
    const socket = require("net").connect(${port}, "${host}");
    socket.setTimeout(${patienceMs}, () => { console.log("timeout"); process.exit(); });
    socket.on("connect", () => socket.write("\\u0001"));
    socket.on("error", (error) => { console.log(error.code); process.exit(); });
    socket.on("data", (data) => { console.log(String(data).trim()); process.exit(); });
    socket.on("close", () => console.log("closed"));`);

/** A gateway that the container reaches, on this port or any. */
async function deployOutside(port: number): Promise<Deployment> {
  const addresses = ['127.0.0.1/32'];
  return await deploy({
    authority,
    hosts: Object.fromEntries(['api', 'git', 'npm', 'db'].map((name) => [`${name}.test`, '127.0.0.1'])),
    rules: [
      { name: 'hello', hosts: ['api.test'], ports: [origin.port], paths: ['/hello'], addresses },
      { name: 'git', hosts: ['git.test'], ports: [git.port], methods: ['GET', 'POST'], addresses },
      { name: 'npm', hosts: ['npm.test'], ports: [registry.port], methods: ['GET', 'POST'], addresses },
      { name: 'raw', hosts: ['db.test'], scheme: 'tcp', ports: [portOf(greeter)], addresses },
    ],
    config: {
      listen: { address: container.network.outsideAddress, port },
      publicNames: [gatewayShortName],
    },
  });
}

/** A session of its own. */
async function sessionOptions({
  gateway,
  gatewayCaFile,
  issueToken,
}: Deployment): Promise<readonly string[]> {
  const url = `https://${gatewayShortName}:${new URL(gateway.url).port}`;
  return ['--gateway', url, '--gateway-ca', gatewayCaFile, '--token-file', await issueToken()];
}

const environment = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: container.home,
  ...more,
});

async function inside(command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  const [file, ...args] = container.enter(command);
  return await runCommand(file, args, { env: environment(env), cwd: container.home });
}

async function run(
  options: readonly string[],
  script: string,
  env?: NodeJS.ProcessEnv,
): Promise<CommandResult> {
  const session = await sessionOptions(set);
  const command = ['run', '--capture-loopback', ...session, ...options, '--', 'sh', '-c', script];
  return await inside([launcher, ...command], env);
}

interface Agent extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Without a variable that names the proxy. */
  readonly env: NodeJS.ProcessEnv;
  said(): string;
  end(): Promise<number | null>;
  kill(): Promise<void>;
}

async function startAgent(runtime: 'node' | 'bun' = 'node', deployment = set): Promise<Agent> {
  sessions += 1;
  const state = join(container.home, `agent-${sessions}`);
  await mkdir(state);
  const file = join(state, 'environment.json');
  const options = ['--state', state, '--format', 'json', '--env-file', file, '--posture'];
  const session = await sessionOptions(deployment);
  const [program, ...args] = container.enter([
    launcher,
    'agent',
    '--capture-loopback',
    ...session,
    ...options,
  ]);
  const child = spawn(program, args, {
    env: environment({ UPSTREAMPROXY_RUNTIME: runtime }),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the agent ended: ${said}`);
  });
  ended.catch(() => undefined);
  const proxied = JSON.parse(await Promise.race([waitForFile(file), ended])) as Record<string, string>;
  // The last line that it writes.
  await waitUntil('the agent serves', () => said.includes('ends on SIGTERM'));
  const end = async (): Promise<number | null> => {
    await endChild(child);
    return child.exitCode;
  };
  return {
    child,
    env: withoutProxyVariables(proxied, Number(new URL(proxied['https_proxy'] ?? '').port)),
    said: () => said,
    end,
    kill: async () => {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
    [Symbol.asyncDispose]: async () => void (await end()),
  };
}

const resolvConf = (): Promise<string> => readFile(container.resolvConf, 'latin1');
const placed = (): Promise<readonly string[]> =>
  readdir(join(container.home, '.local/state/upstreamproxy/placed')).catch(() => []);

async function assertAsBefore(): Promise<void> {
  assert.equal(await resolvConf(), container.resolvConfText);
  assert.deepEqual(await placed(), []);
}

/** The shell that waits beside an agent for its end. */
async function watcherOf({ child }: Agent): Promise<number> {
  for (const name of await readdir('/proc')) {
    const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '');
    if (/^\d+ \(sh\) \S (\d+) /.exec(stat)?.[1] === String(child.pid)) return Number(name);
  }
  throw new Error('there is no watcher');
}

/** What a connection from another machine meets: an error's code, or `connected`. */
async function fromOutside(port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host: container.network.insideAddress, port })
    .on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
    .on('connect', () => resolve('connected'))
    .setTimeout(patienceMs, () => resolve('timeout'));
  const result = await promise;
  socket.destroy();
  return result;
}

/** A server in the container, until it is disposed of. */
async function serverInside(script: string): Promise<AsyncDisposable> {
  const [file, ...args] = container.enter([process.execPath, '-e', script]);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(() => {
    throw new Error('the server ended');
  });
  ended.catch(() => undefined);
  await Promise.race([once(child.stdout, 'data'), ended]);
  return { [Symbol.asyncDispose]: () => endChild(child) };
}

const tcpServer = (host: string, port: number): string =>
  `require("net").createServer((socket) => socket.on("error", () => undefined).end("own server\\n")).listen(${port}, "${host}", () => console.log("up"))`;

const obstacle = containerObstacle();
const skip = obstacle === false ? skipWithout('curl', 'git', 'npm', 'getent') : obstacle;

describe('capture on loopback', { skip }, () => {
  before(async () => {
    container = stack.use(await refusingContainer());
    origin = stack.use(await httpsOrigin({ authority }));
    git = stack.use(await gitServer({ authority }));
    registry = stack.use(
      await packageRegistry({ authority, publicUrl: 'https://npm.test/', name: 'left-hand' }),
    );
    greeter = createServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('ready\n'),
    );
    greeter.listen({ host: '127.0.0.1', port: 0 });
    await once(greeter, 'listening');
    stack.defer(async () => {
      greeter.close();
      await once(greeter, 'close');
    });
    set = stack.use(await deployOutside(0));
  });
  after(() => stack.disposeAsync());

  for (const runtime of ['node', 'bun'] as const) {
    test(`${runtime}: without a proxy variable curl, git, npm and raw TCP get through, and nothing stays`, async () => {
      await using agent = await startAgent(runtime);
      assert.match(agent.said(), captured);
      assert.doesNotMatch(agent.said(), /"networkIsolated": true/);
      const url = origin.url('api.test', '/hello');
      const script = `
        env | grep -i proxy= ; getent ahostsv4 api.test | head -1
        curl -sS -w '%{http_code} %{remote_ip}\\n' ${url}; curl -sS -w '%{http_code}\\n' ${url}/no
        git clone -q ${git.url('git.test', git.repositoryPath)} copy-${runtime} && git -C copy-${runtime} rev-parse HEAD
        mkdir -p npm-${runtime} && cd npm-${runtime} && npm install --silent --no-audit --no-fund --cache ./cache \\
          --replace-registry-host always --registry https://npm.test:${registry.port}/ left-hand > /dev/null && node -p 'require("left-hand")'
        ${connectScript('db.test', portOf(greeter))}
        ${connectScript('api.test', portOf(greeter))}
        ${connectScript('127.64.99.99', portOf(greeter))}
        ${connectScript('127.0.0.1', portOf(greeter))}
        ${connectScript('db.test', 9)}`;
      const { stdout, stderr } = await inside(['sh', '-c', script], agent.env);
      const pattern = [
        '^127\\.64\\.[0-9.]+ +STREAM api\\.test',
        'hello',
        '200 127\\.64\\.[0-9.]+',
        '[\\s\\S]*rule: default-deny[\\s\\S]*',
        '403',
        git.commit,
        'hello',
        'ready',
        'ECONNRESET',
        'ECONNRESET',
        'ECONNRESET',
        'ECONNREFUSED\n$',
      ];
      assert.match(stdout, new RegExp(pattern.join('\n').replaceAll('*\n', '*')), stderr);
      assert.equal(await agent.end(), 0, agent.said());
      await assertAsBefore();
    });

    test(`${runtime}: after kill -9 of the agent resolv.conf is byte for byte as before`, async () => {
      await using agent = await startAgent(runtime);
      assert.match(await resolvConf(), /^nameserver 127\.64\.0\.1$/m);
      await agent.kill();
      await waitUntil('the watcher has cleaned up', async () => (await placed()).length === 0);
      await assertAsBefore();
    });

    test(`${runtime}: the gateway is found by the name servers from before, also when the tunnel was lost`, async () => {
      await using deployment = await deployOutside(await freePort());
      await using agent = await startAgent(runtime, deployment);
      const url = origin.url('api.test', '/hello');
      const ask = (): Promise<CommandResult> => inside(['curl', '-sS', url], agent.env);
      assert.equal((await ask()).stdout, 'hello\n', agent.said());
      const questions = container.gatewayQuestions();
      assert.ok(questions > 0);
      await deployment.gateway.close();
      // What was resolved is kept for a moment (`resolverTtlMsMin`): a gateway that is back within it is found without a question.
      await waitUntil('the name is asked for again, outside', () => container.gatewayQuestions() > questions);
      await using _ = await startGatewayProcess(deployment.configFile);
      assert.equal((await ask()).stdout, 'hello\n', agent.said());
      assert.match(agent.said(), /connecting again/);
    });
  }

  test('another machine gets no connection to a captured port', async () => {
    await using agent = await startAgent();
    await using _ = await serverInside(tcpServer('0.0.0.0', 8099));
    assert.equal(await fromOutside(8099), 'connected', 'the control: it reaches a server of the container');
    for (const port of [80, 443, portOf(greeter), 53])
      assert.equal(await fromOutside(port), 'ECONNREFUSED', agent.said());
  });

  test('cleanup, and the next session, put back what a killed agent and its watcher have left', async () => {
    for (const restore of [
      async () => void (await inside([launcher, 'cleanup', '--quiet'])),
      async () => void (await run([], 'true')),
    ]) {
      await using agent = await startAgent();
      const watcher = await watcherOf(agent);
      process.kill(watcher, 'SIGKILL');
      await waitUntil('the watcher is gone', () => !isRunning(watcher));
      await agent.kill();
      assert.match(await resolvConf(), /^nameserver 127\.64\.0\.1$/m);
      // Also an agent that was not asked for it finds its gateway, for what stood there stands in the file.
      const other = await inside([launcher, 'run', ...(await sessionOptions(set)), '--', 'echo', 'served']);
      assert.equal(other.stdout, 'served\n', other.stderr);
      await restore();
      await assertAsBefore();
    }
  });

  test('what somebody else writes meanwhile stays, at the end and after a kill, and is told', async () => {
    const foreign = 'nameserver 192.0.2.53\n';
    await using first = await startAgent();
    await writeFile(container.resolvConf, foreign);
    await first.end();
    assert.match(first.said(), /^upstreamproxy: stays: \/etc\/resolv\.conf \(changed since\)$/m);
    assert.equal(await resolvConf(), foreign);
    await writeFile(container.resolvConf, container.resolvConfText, 'latin1');
    await using second = await startAgent();
    await writeFile(container.resolvConf, foreign);
    await second.kill();
    await waitUntil('the watcher has cleaned up', async () => (await placed()).length === 0);
    assert.equal(await resolvConf(), foreign);
    await writeFile(container.resolvConf, container.resolvConfText, 'latin1');
  });

  test('a port that a server of the container has is left out and named; the others are captured', async () => {
    await using _ = await serverInside(tcpServer('127.0.0.1', 443));
    await using agent = await startAgent();
    assert.match(agent.said(), /no wall; without 443, where a server listens$/m);
    const script = `curl -sS ${origin.url('api.test', '/hello')}; ${connectScript('127.0.0.1', 443)}`;
    assert.equal((await inside(['sh', '-c', script], agent.env)).stdout, 'hello\nown server\n');
  });

  const obstacles = [
    {
      name: 'port 53 is taken',
      reason: /port 53 of 127\.64\.0\.1 cannot be opened: another program listens there/,
      make: () =>
        serverInside(
          'require("dgram").createSocket("udp4").bind(53, () => console.log("up")); setInterval(() => {}, 1e6)',
        ),
    },
    {
      name: 'ports need a privilege',
      reason: /port 53 of 127\.64\.0\.1 cannot be opened: it takes CAP_NET_BIND_SERVICE/,
      make: async (): Promise<AsyncDisposable> => {
        await container.requirePrivilegeBelow(1024);
        return { [Symbol.asyncDispose]: () => container.requirePrivilegeBelow(0) };
      },
    },
  ];
  for (const { name, reason, make } of obstacles) {
    test(`${name}: one line says it, the environment serves alone, and --capture-only starts nothing`, async () => {
      await using _ = await make();
      const { stdout, stderr, code } = await run([], `curl -sS ${origin.url('api.test', '/hello')}`);
      assert.equal(stdout, 'hello\n', stderr);
      assert.equal(code, 0);
      assert.match(refused.exec(stderr)?.[1] ?? stderr, reason);
      assert.doesNotMatch(stderr, captured);
      await assertAsBefore();
      const only = await run(['--capture-only'], 'echo started');
      assert.equal(only.stdout, '');
      assert.match(only.stderr, /\[jail_refused\]/);
      await assertAsBefore();
    });
  }

  test('run: the command sees no proxy and is served; require starts nothing; a start that fails later leaves nothing', async () => {
    const script = `env | grep -i proxy= ; cat /etc/resolv.conf | grep ^nameserver; curl -sS ${origin.url('api.test', '/hello')}; exit 7`;
    const { code, stdout, stderr } = await run(['--capture-only'], script);
    assert.equal(stdout, 'nameserver 127.64.0.1\nhello\n', stderr);
    assert.equal(code, 7);
    assert.match(stderr, captured);
    await assertAsBefore();
    const unjailed = await run(
      ['--capture-only', '--isolate=off'],
      `curl -sS ${origin.url('api.test', '/hello')}`,
    );
    assert.equal(unjailed.stdout, 'hello\n', unjailed.stderr);
    const required = await run(['--isolate=require'], 'echo started');
    assert.equal(required.stdout, '');
    assert.match(required.stderr, /network \(unshare: .*\[jail_refused\]/);
    await assertAsBefore();
    // Files in HOME are placed after the capture, and without HOME they cannot be.
    const failing = await run(['--home-files'], 'echo started', {
      HOME: '',
      XDG_STATE_HOME: join(container.home, '.local/state'),
    });
    assert.equal(failing.stdout, '');
    assert.match(failing.stderr, /HOME is not set/);
    await assertAsBefore();
  });

  test('run with a gateway of its own: the origins are looked up outside, and not by the agent', async () => {
    const { outsideAddress } = container.network;
    await using far = await httpsOrigin({ authority, address: outsideAddress });
    await using folder = await temporaryDirectory();
    const host = 'origin.internal.test';
    const rules = [{ name: 'far', hosts: [host], ports: [far.port], addresses: [`${outsideAddress}/32`] }];
    await writeFile(join(folder.path, 'ca.pem'), authority.caPem);
    await writeFile(join(folder.path, 'policy.yaml'), stringify({ rules }));
    const config = join(folder.path, 'gateway.yaml');
    await writeFile(config, stringify({ policy: 'policy.yaml', upstream: { ca: 'ca.pem' } }));
    const options = ['--capture-loopback', '--capture-only', '--config', config];
    const ask = ['curl', '-sS', far.url(host, '/hello')];
    const { stdout, stderr } = await inside([launcher, 'run', ...options, '--', ...ask]);
    assert.equal(stdout, 'hello\n', stderr);
    await assertAsBefore();
  });
});
