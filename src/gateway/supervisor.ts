// A gateway of several worker processes behind one port. The supervisor serves nobody itself: it makes what all share, listens, hands
// each connection to a worker, and counts what holds over all of them.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayConfig } from './config/config.ts';
import { type MetricsFormat, metricsText } from './metrics-text.ts';
import { listenMetrics } from './metrics-server.ts';
import { HandedPorts } from './handed-ports.ts';
import type { ListeningSockets } from './listening-sockets.ts';
import { localUrl, openFailures } from './public-listener.ts';
import { SharedIdentity } from './shared-identity.ts';
import { WorkerCounts } from './worker-counts.ts';
import { openPassageFolder, type PassageFolder } from './passage-folder.ts';
import { ProofMemory } from './sessions/proof-memory.ts';
import { newNonceKey } from './sessions/proof-nonces.ts';
import { newGatewayName } from './tunnels/incarnation.ts';
import type { HandedPort } from './workers/handed-connections.ts';
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
  /** Ports that are open already. */
  readonly sockets?: ListeningSockets;
  /** Called when files and ports are open, before a worker is started: the process becomes another user here. */
  readonly beforeWorkers?: () => void;
  /** Ends the start: it rejects with the reason, behind the end of every worker. */
  readonly signal?: AbortSignal;
}

export interface Supervisor extends AsyncDisposable {
  readonly url: string;
  /** Rejects when a worker dies again and again. */
  readonly failed: Promise<never>;
  /** As `Gateway.reload`, in every worker. */
  reload(): Promise<void>;
  /** As `Gateway.close`. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** What the supervisor knows over all workers. */
interface Shared {
  readonly config: GatewayConfig;
  readonly options: SupervisorOptions;
  readonly startedMs: number;
  readonly gatewayName: string;
  readonly nonceKey: Uint8Array;
  /** Those with a nonce. */
  readonly proofs: ProofMemory;
  readonly identity: SharedIdentity;
  readonly passage: PassageFolder;
  readonly ports: HandedPorts;
  readonly places: SessionPlaces;
  readonly counts: WorkerCounts;
  readonly failures: Readonly<Record<HandedPort, ReturnType<typeof openFailures>>>;
  readonly operatorPorts: WorkerStart['operatorPorts'];
}

/** Starts workers and port. Throws what a gateway of one process throws, and what keeps the first worker from serving. */
export async function startSupervisor(
  config: GatewayConfig,
  options: SupervisorOptions,
): Promise<Supervisor> {
  await using stack = new AsyncDisposableStack();
  const { log, clock = Date.now, sockets = {} } = options;
  const { environment } = options;
  const identity = stack.use(await SharedIdentity.open(config, { clock, log, environment }));
  const passage = openPassageFolder(config, stack);
  const startedMs = clock();
  // Connections and questions may come before there are any.
  let workers: WorkerProcesses | undefined;
  const counts = stack.use(new WorkerCounts(() => workers ?? { serving: [], restarts: 0 }));
  const ports = stack.use(
    await HandedPorts.open(config, {
      descriptor: sockets.gateway,
      takers: () => workers?.serving ?? [],
      onLimit: (limit) => counts.own.countLimit(limit),
    }),
  );
  const operatorPorts = await openOperatorPorts(config, {
    stack,
    counts,
    descriptor: sockets.metrics,
    proxyPort: ports.proxyPort,
  });
  options.beforeWorkers?.();
  const failures = { public: openFailures(config, clock), proxy: openFailures(config, clock) };
  const places = new SessionPlaces();
  const nonces = { nonceKey: newNonceKey(), proofs: new ProofMemory() };
  const passing = { identity, passage, ports, places, counts, failures, ...nonces };
  const gatewayName = newGatewayName();
  const opened = openWorkers({ config, options, startedMs, gatewayName, operatorPorts, ...passing });
  workers = opened;
  stack.defer(() => opened.close(0));
  await unlessAborted(opened, options.signal);
  if (ports.proxyPort !== undefined)
    log('info', `clients without an agent are served on ${config.proxy?.address}:${ports.proxyPort}`);
  identity.follow((fresh) => opened.tell({ kind: 'identity', identity: fresh }), log);
  const owned = stack.move();
  let closing: Promise<void> | undefined;
  const close = (drainMs: number): Promise<void> =>
    (closing ??= (async () => {
      ports.stopProxy();
      // Workers take tunnels that come back until they end.
      await opened.close(drainMs);
      ports.stopListening();
      await owned.disposeAsync();
    })());
  return {
    url: localUrl(config, ports.port),
    failed: opened.failed,
    reload: async () => {
      opened.tell({ kind: 'reload' });
      await identity.look();
    },
    close: ({ drainMs = 0 } = {}) => close(drainMs),
    [Symbol.asyncDispose]: () => close(0),
  };
}

/** A worker can wait for long at its start, as for a store that is away. Whoever called ends those that it has. */
async function unlessAborted(opened: WorkerProcesses, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const opening = opened.open();
  if (signal === undefined) return await opening;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const giveUp = (): void => reject(signal.reason);
  signal.addEventListener('abort', giveUp);
  // Its workers are ended then, of which it tells.
  opening.catch(() => undefined);
  await Promise.race([opening, aborted]).finally(() => signal.removeEventListener('abort', giveUp));
}

/** Serves the metrics of all, and gives every port that is for operators alone. @throws ProxyError gateway_port_unusable */
async function openOperatorPorts(
  { metrics, admin, callbacks, proxy }: GatewayConfig,
  {
    stack,
    counts,
    descriptor,
    proxyPort,
  }: {
    readonly stack: AsyncDisposableStack;
    readonly counts: WorkerCounts;
    readonly descriptor: number | undefined;
    readonly proxyPort: number | undefined;
  },
): Promise<WorkerStart['operatorPorts']> {
  const ways =
    proxy === undefined || proxyPort === undefined ? undefined : { address: proxy.address, port: proxyPort };
  const ports = [admin?.listen, callbacks?.listen, ways].filter((place) => place !== undefined);
  if (metrics === undefined) return ports;
  const text = async (format: MetricsFormat): Promise<string> => metricsText(await counts.all(), format);
  const { address, port } = stack.use(await listenMetrics({ ...metrics, text, descriptor }));
  return [...ports, { address, port }];
}

function openWorkers(shared: Shared): WorkerProcesses {
  const { options, ports, places, counts, identity, passage } = shared;
  // A worker that was killed left its socket, at whatever step of its life.
  const removeSocket = (number: number): void =>
    rmSync(join(passage.folder, passage.nameOf(number)), { force: true });
  return new WorkerProcesses({
    count: options.workers,
    launch: options.launch,
    log: options.log,
    start: (number, isOnDuty) => {
      removeSocket(number);
      return startOf(shared, number, isOnDuty);
    },
    responders: (number) => respondersOf(shared, number),
    onReport: (number, report) => heed(shared, number, report),
    onServing: (worker) => {
      // It may have changed since the worker was started.
      worker.channel.tell({ kind: 'identity', identity: identity.now.identity });
      ports.handWaiting();
    },
    onGone: (number) => {
      ports.leave(number);
      places.leave(number);
      counts.leave(number);
      removeSocket(number);
    },
  });
}

function startOf(shared: Shared, number: number, isOnDuty: boolean): WorkerStart {
  const { options, startedMs, gatewayName, nonceKey, ports, identity, passage, operatorPorts } = shared;
  // Metrics are served here, for all; the admin API and callbacks by one worker, for all.
  const { metrics: _, admin, callbacks, ...rest } = shared.config;
  const first = {
    ...(admin === undefined ? {} : { admin }),
    ...(callbacks === undefined ? {} : { callbacks }),
  };
  const config = number === 1 ? { ...rest, ...first } : rest;
  const { folder, secret, nameOf } = passage;
  return {
    number,
    workers: options.workers,
    gatewayName,
    nonceKey,
    startedMs,
    config: { ...config, limits: limitsOfWorker(config.limits, options.workers) },
    gatewayLimits: shared.config.limits,
    environment: options.environment,
    port: ports.port,
    proxyPort: ports.proxyPort,
    operatorPorts: operatorPorts.map(({ address, port: at }) => ({ address, port: at })),
    ...identity.now,
    passage: { folder, secret, name: nameOf(number) },
    isOnDuty,
  };
}

function respondersOf(shared: Shared, number: number): Responders {
  const { places, ports, counts, failures, passage, proofs, config, options } = shared;
  return {
    place: (sessionId) => {
      const at = places.place(sessionId, number);
      return at === number ? undefined : passage.nameOf(at);
    },
    source: ({ connection, address }) => ports.readmit(number, connection, address),
    failure: ({ source, port }) => failures[port].take(source),
    proof: (proof) => proofs.remember(proof, { nowMs: (options.clock ?? Date.now)(), ...config.limits }),
    all: () => counts.all(),
  };
}

function heed({ ports, places }: Shared, number: number, report: WorkerReport): void {
  if (report.kind === 'ended') places.end(report.sessionId, number);
  else if (report.kind === 'taken' || report.kind === 'shown' || report.kind === 'closed')
    ports.heard(number, report);
}
