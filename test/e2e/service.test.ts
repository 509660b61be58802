// The gateway as a service: sockets that are open before it starts, and a service manager that is told of it. Both are the test; the real ones
// start it in `npm run test:distributions`.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { stringify } from 'yaml';

import { socketDescriptor } from '../../src/system/socket-descriptor.ts';
import { receiveNotices } from '../support/notice-receiver.ts';
import { endChild, launcher, waitForFile, waitUntil } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { workersOf } from '../support/worker-processes.ts';

interface Started extends AsyncDisposable {
  readonly pid: number;
  readonly ended: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  said(): string;
}

/** As a service manager does: the sockets behind standard error, and the number of the process in its environment. */
function start(
  configFile: string,
  servers: readonly Server[],
  environment: NodeJS.ProcessEnv,
  options: readonly string[] = [],
): Started {
  const script = 'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"';
  const descriptors = servers.map((server) => socketDescriptor(server) ?? -1);
  const child = spawn('sh', ['-c', script, 'sh', launcher, 'gateway', '--config', configFile, ...options], {
    stdio: ['ignore', 'ignore', 'pipe', ...descriptors],
    env: { ...process.env, LISTEN_FDS: String(servers.length), ...environment },
  });
  const said: string[] = [];
  child.stderr?.on('data', (chunk: Buffer) => void said.push(String(chunk)));
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  return {
    pid: child.pid ?? 0,
    ended,
    kill: (signal) => void child.kill(signal),
    said: () => said.join(''),
    [Symbol.asyncDispose]: () => endChild(child),
  };
}

interface Setting {
  readonly directory: string;
  readonly configFile: string;
  /** What the gateway's own programs saw of its environment and descriptors. */
  readonly seen: string;
  /** Names that the configuration has for this socket. */
  readonly notifySocket: string;
}

/** A policy whose group asks a program for its hosts, which writes down what it inherited. */
async function setting(stack: AsyncDisposableStack, more: object): Promise<Setting> {
  const directory = stack.use(await temporaryDirectory()).path;
  const seen = join(directory, 'seen');
  const command = ['sh', '-c', `{ env; ls -l /proc/self/fd; } >> ${seen}; echo discovered.test`];
  const policy = {
    groups: { found: { discover: ['own'] } },
    rules: [{ name: 'one', include: 'found' }],
  };
  await writeFile(join(directory, 'policy.yaml'), stringify(policy));
  const configFile = join(directory, 'gateway.yaml');
  const config = {
    publicNames: ['127.0.0.1'],
    stateDirectory: 'state',
    policy: 'policy.yaml',
    discover: { own: { command } },
    ...more,
  };
  await writeFile(configFile, stringify(config));
  return { directory, configFile, seen, notifySocket: join(directory, 'notify') };
}

async function listening(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is an object.
  return { server, port: (server.address() as AddressInfo).port };
}

async function ready(port: number): Promise<number | undefined> {
  const asked = get({
    host: '127.0.0.1',
    port,
    path: '/readyz',
    rejectUnauthorized: false,
    agent: false,
  });
  const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
  await text(response);
  return response.statusCode;
}

const serviceVariables = /^(?:NOTIFY_SOCKET|WATCHDOG_|LISTEN_)/m;

for (const workers of [1, 2])
  test(`a service of ${workers} serves on the sockets that it was given, and tells of its states`, async () => {
    await using stack = new AsyncDisposableStack();
    const [agents, metrics] = [await listening(), await listening()];
    const at = { address: '127.0.0.1' };
    const set = await setting(stack, {
      workers,
      listen: { ...at, port: agents.port },
      metrics: { ...at, port: metrics.port },
    });
    using manager = receiveNotices(set.notifySocket);
    const service = stack.use(
      start(set.configFile, [metrics.server, agents.server], {
        NOTIFY_SOCKET: set.notifySocket,
        WATCHDOG_USEC: '100000',
        LISTEN_FDNAMES: 'metrics:gateway',
      }),
    );
    agents.server.close();
    metrics.server.close();
    // Connections wait at the sockets meanwhile, as they do between two starts.
    const early = ready(agents.port);
    const told = await Promise.race([manager.next('READY=1'), service.ended]);
    assert.equal(told, `READY=1\nSTATUS=listening on https://127.0.0.1:${agents.port}`, service.said());
    assert.equal(await early, 200);
    assert.match(await (await fetch(`http://127.0.0.1:${metrics.port}/metrics`)).text(), /^upstreamproxy_/m);
    await manager.next('WATCHDOG=1');
    const inherited = await waitForFile(set.seen);
    assert.match(inherited, /^PATH=/m);
    assert.doesNotMatch(inherited, serviceVariables);
    assert.doesNotMatch(inherited, / (?:[3-9]|[0-9]{2,}) -> socket:/);
    const processes = workers === 1 ? [] : workersOf(service.pid);
    assert.equal(processes.length, workers === 1 ? 0 : workers);
    for (const pid of processes)
      assert.doesNotMatch(
        readFileSync(`/proc/${pid}/environ`, 'latin1').replaceAll('\0', '\n'),
        serviceVariables,
      );

    for (const signal of ['SIGHUP', 'SIGUSR2'] as const) {
      const before = manager.notices.length;
      service.kill(signal);
      const reloading = await manager.next('RELOADING=1', before);
      const us = Number(/^MONOTONIC_USEC=([0-9]+)$/m.exec(reloading)?.[1]);
      assert.ok(us > 0 && us <= Number(process.hrtime.bigint() / 1000n));
      await manager.next('READY=1', manager.notices.indexOf(reloading));
    }
    assert.equal(await ready(agents.port), 200);

    service.kill('SIGTERM');
    const stopping = await manager.next('STOPPING=1');
    assert.match(stopping, /\nSTATUS=draining.*\nEXTEND_TIMEOUT_USEC=45000000$/);
    assert.equal(await service.ended, 0);
    manager.look();
    const after = manager.notices.slice(manager.notices.indexOf(stopping));
    assert.ok(!after.some((one) => one.startsWith('READY')));
  });

test('a socket elsewhere than the configuration says ends the start, with what to write', async () => {
  await using stack = new AsyncDisposableStack();
  const { server, port } = await listening();
  const set = await setting(stack, { listen: { address: '127.0.0.1', port: port === 8443 ? 8444 : 8443 } });
  const service = stack.use(start(set.configFile, [server], { LISTEN_FDNAMES: 'gateway' }));
  assert.equal(await service.ended, 78);
  assert.match(service.said(), new RegExp(`the socket for gateway is at 127\\.0\\.0\\.1:${port}, and`));
  server.close();
});

test('whatever NOTIFY_SOCKET says, the gateway serves, and says that nobody is told', async () => {
  for (const name of ['relative', '@', '/nobody/is/here', `/${'x'.repeat(5000)}`]) {
    await using stack = new AsyncDisposableStack();
    const set = await setting(stack, { listen: { address: '127.0.0.1', port: 0 } });
    const service = stack.use(start(set.configFile, [], { NOTIFY_SOCKET: name, WATCHDOG_USEC: '-1' }));
    await waitUntil('it says so', () => /warn .*NOTIFY_SOCKET/.test(service.said()));
    await waitUntil('it listens', () => /listening on/.test(service.said()));
    assert.doesNotMatch(await readFile(set.seen, 'utf8'), serviceVariables);
  }
});
