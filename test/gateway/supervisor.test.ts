// The supervisor, with workers that are in the test's hands.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { mock, test } from 'node:test';

import { embeddedConfig, type GatewayConfig } from '../../src/gateway/config/config.ts';
import { serverFolder } from '../../src/gateway/identity/identity-places.ts';
import { startSupervisor, type Supervisor, type SupervisorOptions } from '../../src/gateway/supervisor.ts';
import type { ChannelPort } from '../../src/gateway/workers/worker-channel.ts';
import type { WorkerOrder, WorkerReport, WorkerStart } from '../../src/gateway/workers/worker-messages.ts';
import type { LaunchedProcess } from '../../src/gateway/workers/worker-processes.ts';
import { makeNextAuthority, switchAuthority } from '../../src/pki/authority-rotation.ts';
import { freePort } from '../support/free-port.ts';
import { waitUntil } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** A process that does nothing but what the test says. */
class HandWorker implements LaunchedProcess {
  readonly orders: WorkerOrder[] = [];
  readonly sockets: Socket[] = [];
  readonly port: ChannelPort;
  readonly ended: Promise<string>;
  readonly end: (how: string) => void;
  readonly started: Promise<WorkerStart>;
  #hear: Parameters<ChannelPort['onMessage']>[0] = () => undefined;

  constructor() {
    const [ended, started] = [Promise.withResolvers<string>(), Promise.withResolvers<WorkerStart>()];
    [this.ended, this.end, this.started] = [ended.promise, ended.resolve, started.promise];
    this.port = {
      send: (message, socket) => {
        // The supervisor tells orders, and asks nothing but counts.
        const { word } = message as { readonly word?: WorkerOrder };
        if (word === undefined) return;
        this.orders.push(word);
        if (socket !== undefined) this.sockets.push(socket);
        if (word.kind === 'start') started.resolve(word.start);
        if (word.kind === 'drain') this.end('exit 0');
      },
      onMessage: (listener) => (this.#hear = listener),
      onClosed: () => undefined,
    };
  }

  tell(word: WorkerReport): void {
    this.#hear({ word }, undefined);
  }

  kill(): void {
    this.end('SIGKILL');
  }

  /** What it was told of the certificate, its start left out. */
  get certificates(): readonly string[] {
    return this.orders.flatMap((order) => (order.kind === 'identity' ? [order.identity.certificatePem] : []));
  }
}

interface Scene extends AsyncDisposable {
  readonly config: GatewayConfig;
  readonly supervisor: Supervisor;
  readonly launched: readonly HandWorker[];
}

/** One worker or more, which serve. */
async function scene(
  changes: Partial<GatewayConfig> = {},
  options: Partial<SupervisorOptions> = {},
): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const config = embeddedConfig(path, changes);
  const { workers = 1 } = options;
  const launched: HandWorker[] = [];
  const launch = (): HandWorker => {
    const worker = new HandWorker();
    launched.push(worker);
    queueMicrotask(() => worker.tell({ kind: 'here' }));
    // Those that come later serve when they are told to.
    if (launched.length <= workers) void worker.started.then(() => worker.tell({ kind: 'ready' }));
    return worker;
  };
  const log = (): void => undefined;
  const supervisor = await startSupervisor(config, { launch, environment: {}, log, ...options, workers });
  stack.use(supervisor);
  const owned = stack.move();
  return { config, supervisor, launched, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function nextWorker({ launched }: Scene, count: number): Promise<HandWorker> {
  await waitUntil('it is started again', () => launched.length === count);
  return launched[count - 1]!;
}

test('a worker that starts while the certificate changes serves the new one', async () => {
  await using set = await scene({}, { workers: 2 });
  const [first, other] = set.launched;
  first!.kill();
  const again = await nextWorker(set, 3);
  const { identity } = await again.started;
  const authority = serverFolder(set.config);
  await makeNextAuthority(authority, Date.now());
  await switchAuthority(authority, { nowMs: Date.now(), atOnce: true });
  await set.supervisor.reload();
  const hasNew = ({ certificates }: HandWorker): boolean =>
    certificates.some((one) => one !== identity.certificatePem);
  await waitUntil('one that serves is told', () => hasNew(other!));
  assert.equal(hasNew(again), false);
  again.tell({ kind: 'ready' });
  await waitUntil('the one that serves again is told', () => hasNew(again));
});

test('a signal during the start ends the workers that there are, starts none, and is what the start ends with', async () => {
  for (const readyFirst of [false, true]) {
    await using directory = await temporaryDirectory();
    const launched: HandWorker[] = [];
    const end = new AbortController();
    const launch = (): HandWorker => {
      const worker = new HandWorker();
      launched.push(worker);
      queueMicrotask(() => worker.tell({ kind: 'here' }));
      void worker.started.then(() => {
        if (readyFirst) worker.tell({ kind: 'ready' });
        end.abort(new Error('it is to end'));
      });
      return worker;
    };
    const options = { workers: 3, launch, environment: {}, log: (): void => undefined, signal: end.signal };
    await assert.rejects(startSupervisor(embeddedConfig(directory.path), options), /^Error: it is to end$/);
    for (const worker of launched) await worker.ended;
    assert.ok(launched.length < 4);
    await assert.rejects(startSupervisor(embeddedConfig(directory.path), options), /^Error: it is to end$/);
    assert.ok(launched.length < 4, 'and later none');
  }
});

test('what a worker that died at its start left of its passage is gone before the next starts', async () => {
  await using set = await scene();
  set.launched[0]!.kill();
  const second = await nextWorker(set, 2);
  const { passage } = await second.started;
  const path = join(passage.folder, passage.name);
  writeFileSync(path, '');
  second.kill();
  const third = await nextWorker(set, 3);
  assert.deepEqual((await third.started).passage, passage);
  assert.equal(existsSync(path), false);
  third.tell({ kind: 'ready' });
});

test('a connection that comes before there are workers waits for the first', async () => {
  const port = await freePort();
  const echo = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const clients: Socket[] = [];
  const roundTrip = async (): Promise<void> => {
    const client = connect((echo.address() as AddressInfo).port, '127.0.0.1');
    client.write('once');
    await once(client, 'data');
    client.destroy();
  };
  const { listen } = Server.prototype;
  // The port of the metrics is the last to be open before there are workers.
  const late = mock.method(Server.prototype, 'listen', function (this: Server, ...more: unknown[]): Server {
    // As `listen` is called here: with an object.
    const [{ port: at }] = more as [{ readonly port: number }];
    if (at === port) return listen.apply(this, more as Parameters<typeof listen>);
    const client = connect(port, '127.0.0.1');
    clients.push(client);
    client.on('error', () => undefined);
    const open = (): void => void listen.apply(this, more as Parameters<typeof listen>);
    // What listens already is looked at before what a round trip brings.
    client.once('connect', () => void roundTrip().then(open));
    return this;
  });
  try {
    await using set = await scene({
      listen: { address: '127.0.0.1', port },
      metrics: { address: '127.0.0.1', port: 0 },
    });
    assert.equal(late.mock.callCount(), 2);
    await waitUntil('the worker has it', () => set.launched[0]!.sockets.length === 1);
  } finally {
    mock.restoreAll();
    for (const client of clients) client.destroy();
    echo.close();
  }
});

test('folders of supervisors that are gone are removed, and those of others are not', async () => {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const dead = join(path, 'workers-00000000-0000-4000-8000-000000000000');
  mkdirSync(dead, { mode: 0o700 });
  writeFileSync(join(dead, '1'), '');
  const other = join(path, 'workers-of-somebody');
  mkdirSync(other);
  const start = async (): Promise<HandWorker> => {
    const worker = new HandWorker();
    const launch = (): HandWorker => {
      queueMicrotask(() => worker.tell({ kind: 'here' }));
      void worker.started.then(() => worker.tell({ kind: 'ready' }));
      return worker;
    };
    const options = { workers: 1, launch, environment: {}, log: () => undefined };
    stack.use(await startSupervisor(embeddedConfig(path), options));
    return worker;
  };
  const first = await (await start()).started;
  const second = await (await start()).started;
  assert.notEqual(first.passage.folder, second.passage.folder);
  assert.deepEqual(
    [dead, other, first.passage.folder, second.passage.folder].map((folder) => existsSync(folder)),
    [false, true, true, true],
  );
});
