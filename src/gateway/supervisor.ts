// A gateway of several worker processes behind one port. The supervisor serves nobody itself: it makes what all share, listens, hands
// each connection to a worker, and counts what holds over all of them.

import { randomBytes, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { GatewayConfig } from './config/config.ts';
import { metricsText } from './metrics.ts';
import { listenMetrics } from './metrics-server.ts';
import { listen, localUrl, openFailures, openStrangers } from './public-listener.ts';
import { makeSharedFiles, SharedIdentity } from './shared-identity.ts';
import { WorkerCounts } from './worker-counts.ts';
import { HandedConnections } from './workers/handed-connections.ts';
import { SessionPlaces } from './workers/session-places.ts';
import type { Responders } from './workers/worker-channel.ts';
import { limitsOfWorker } from './workers/worker-limits.ts';
import type { WorkerReport, WorkerStart } from './workers/worker-messages.ts';
import { WorkerProcesses, type LaunchedProcess } from './workers/worker-processes.ts';

export interface SupervisorOptions {
  readonly workers: number;
  readonly launch: () => LaunchedProcess;
  /** For credentials of source `env`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
  readonly clock?: () => number;
  /** Called when files and ports are open, before a worker is started: the process becomes another user here. */
  readonly beforeWorkers?: () => void;
}

export interface Supervisor extends AsyncDisposable {
  readonly url: string;
  /** Rejects when a worker dies again and again. */
  readonly failed: Promise<never>;
  /** As `Gateway.reload`, in every worker. */
  reload(): void;
  /** As `Gateway.close`. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** Where workers pass tunnels on to each other. */
interface PassageFolder {
  readonly folder: string;
  readonly secret: Uint8Array;
  readonly nameOf: (worker: number) => string;
}

/** What the supervisor knows over all workers. */
interface Shared {
  readonly config: GatewayConfig;
  readonly options: SupervisorOptions;
  readonly port: number;
  readonly identity: SharedIdentity;
  readonly passage: PassageFolder;
  readonly hands: HandedConnections;
  readonly places: SessionPlaces;
  readonly counts: WorkerCounts;
  readonly failures: ReturnType<typeof openFailures>;
  readonly operatorPorts: WorkerStart['operatorPorts'];
}

/** Starts workers and port. Throws what a gateway of one process throws, and what keeps the first worker from serving. */
export async function startSupervisor(
  config: GatewayConfig,
  options: SupervisorOptions,
): Promise<Supervisor> {
  await using stack = new AsyncDisposableStack();
  const { log, clock = Date.now } = options;
  await makeSharedFiles(config, clock, options.environment);
  const identity = stack.use(await SharedIdentity.open(config, clock, log));
  const passage = await openPassageFolder(config, stack);
  const counts = stack.use(new WorkerCounts(() => workers));
  const hands = new HandedConnections({
    strangers: await openStrangers(config),
    waitMs: config.limits.handshakeTimeoutMs,
    onLimit: (limit) => counts.own.countLimit(limit),
  });
  const server = createServer({ pauseOnConnect: true, noDelay: true });
  server.on('connection', (socket) => hands.hand(socket, workers.serving));
  const port = await listen(server, config);
  stack.defer(() => stopListening(server, hands));
  const operatorPorts = await openOperatorPorts(config, { stack, counts });
  options.beforeWorkers?.();
  const [failures, places] = [openFailures(config, clock), new SessionPlaces()];
  const shared = { config, options, port, identity, passage, hands, places, counts, failures, operatorPorts };
  const workers: WorkerProcesses = openWorkers(shared, () => hands.handWaiting(workers.serving));
  stack.defer(() => workers.close(0));
  await workers.open();
  identity.follow((fresh) => workers.tell({ kind: 'identity', identity: fresh }), log);
  const owned = stack.move();
  let closing: Promise<void> | undefined;
  const close = (drainMs: number): Promise<void> =>
    (closing ??= (async () => {
      server.close();
      await workers.close(drainMs);
      await owned.disposeAsync();
    })());
  return {
    url: localUrl(config, port),
    failed: workers.failed,
    reload: () => {
      void identity.look();
      workers.tell({ kind: 'reload' });
    },
    close: ({ drainMs = 0 } = {}) => close(drainMs),
    [Symbol.asyncDispose]: () => close(0),
  };
}

/** Serves the metrics of all, and gives every port that is for operators alone. @throws ProxyError gateway_port_unusable */
async function openOperatorPorts(
  { metrics, admin }: GatewayConfig,
  { stack, counts }: { readonly stack: AsyncDisposableStack; readonly counts: WorkerCounts },
): Promise<WorkerStart['operatorPorts']> {
  const ports = admin?.listen === undefined ? [] : [admin.listen];
  if (metrics === undefined) return ports;
  const text = async (): Promise<string> => metricsText(await counts.all());
  const { port } = stack.use(await listenMetrics({ ...metrics, text }));
  return [...ports, { address: metrics.address, port }];
}

function openWorkers(shared: Shared, onServing: () => void): WorkerProcesses {
  const { options, hands, places, counts } = shared;
  return new WorkerProcesses({
    count: options.workers,
    launch: options.launch,
    log: options.log,
    start: (number, isOnDuty) => startOf(shared, number, isOnDuty),
    responders: (number) => respondersOf(shared, number),
    onReport: (number, report) => heed(shared, number, report),
    onServing,
    onGone: (number) => {
      hands.leave(number);
      places.leave(number);
      counts.leave(number);
      // A worker that was killed left its socket.
      const { folder, nameOf } = shared.passage;
      rmSync(join(folder, nameOf(number)), { force: true });
    },
  });
}

function startOf(shared: Shared, number: number, isOnDuty: boolean): WorkerStart {
  const { options, port, identity, passage, operatorPorts } = shared;
  // Metrics are served here, for all; the admin API by one worker, for all.
  const { metrics: _, admin, ...rest } = shared.config;
  const config = number === 1 && admin !== undefined ? { ...rest, admin } : rest;
  const { folder, secret, nameOf } = passage;
  return {
    number,
    workers: options.workers,
    config: { ...config, limits: limitsOfWorker(config.limits, options.workers) },
    gatewayLimits: shared.config.limits,
    environment: options.environment,
    port,
    operatorPorts: operatorPorts.map(({ address, port: at }) => ({ address, port: at })),
    ...identity.now,
    passage: { folder, secret, name: nameOf(number) },
    isOnDuty,
  };
}

function respondersOf({ places, hands, counts, failures, passage }: Shared, number: number): Responders {
  return {
    place: (sessionId) => {
      const at = places.place(sessionId, number);
      return at === number ? undefined : passage.nameOf(at);
    },
    source: ({ connection, address }) => {
      const limit = hands.readmit(number, connection, address);
      if (limit !== undefined) counts.own.countLimit(limit);
      return limit;
    },
    failure: (source) => failures.take(source),
    all: () => counts.all(),
  };
}

function heed({ hands, places }: Shared, number: number, report: WorkerReport): void {
  if (report.kind === 'shown') hands.shown(number, report.connection);
  else if (report.kind === 'closed') hands.closed(number, report.connection);
  else if (report.kind === 'ended') places.end(report.sessionId, number);
}

/** A folder for this start alone, which goes with it. */
async function openPassageFolder(
  { stateDirectory }: GatewayConfig,
  stack: AsyncDisposableStack,
): Promise<PassageFolder> {
  const folder = join(stateDirectory, `workers-${randomUUID()}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  return { folder, secret: randomBytes(32), nameOf: (worker) => String(worker) };
}

function stopListening(server: Server, hands: HandedConnections): void {
  hands.close();
  server.close();
}
