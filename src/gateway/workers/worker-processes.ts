// The worker processes of one gateway: started one after the other, started again when they die, ended together.

import { setTimeout as wait } from 'node:timers/promises';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { Taker } from './handed-connections.ts';
import { RestartDelays } from './restart-delays.ts';
import { WorkerChannel, type ChannelPort, type Responders } from './worker-channel.ts';
import type { WorkerOrder, WorkerReport, WorkerStart } from './worker-messages.ts';

/** A process that was started, before it was told anything. */
export interface LaunchedProcess {
  readonly port: ChannelPort;
  /** Resolves when it is gone, with how: `exit 1`, `SIGKILL`. Never rejects. */
  readonly ended: Promise<string>;
  /** Ends it at once. */
  kill(): void;
}

export interface WorkerProcessesOptions {
  readonly count: number;
  readonly launch: () => LaunchedProcess;
  /** What a worker is told. */
  readonly start: (number: number, isOnDuty: boolean) => WorkerStart;
  readonly responders: (number: number) => Responders;
  readonly onReport: (number: number, report: WorkerReport) => void;
  /** A worker serves, for the first time or again. */
  readonly onServing: (worker: Worker) => void;
  /** A worker is gone: nothing that was its is anybody's. */
  readonly onGone: (number: number) => void;
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
}

type Channel = WorkerChannel<WorkerOrder, WorkerReport>;

/** One that serves. */
export interface Worker extends Taker {
  readonly channel: Channel;
  readonly process: LaunchedProcess;
}

export class WorkerProcesses {
  readonly #options: WorkerProcessesOptions;
  readonly #serving = new Map<number, Worker>();
  readonly #running = new Set<LaunchedProcess>();
  readonly #stop = new AbortController();
  readonly #failed = Promise.withResolvers<never>();
  readonly #kept: Promise<void>[] = [];
  #onDuty = 1;
  #restarts = 0;

  constructor(options: WorkerProcessesOptions) {
    this.#options = options;
    this.#failed.promise.catch(() => undefined);
  }

  /** Those that serve now. */
  get serving(): readonly Worker[] {
    return [...this.#serving.values()];
  }

  /** How often one was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Rejects when one dies again and again. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Starts them; the first alone, so that what keeps it from serving is told once. Throws what it says. */
  async open(): Promise<void> {
    const { count } = this.#options;
    const first = await this.#startOne(1);
    const others = Array.from({ length: count - 1 }, (_, i) => this.#startOne(i + 2));
    for (const worker of [first, ...(await Promise.all(others))])
      this.#kept.push(this.#keep(worker, performance.now()));
  }

  tell(order: WorkerOrder): void {
    for (const { channel } of this.serving) channel.tell(order);
  }

  /** Ends all within `drainMs` and what it takes to end a process; starts none again. */
  async close(drainMs: number): Promise<void> {
    this.#stop.abort();
    this.tell({ kind: 'drain', drainMs });
    const over = new AbortController();
    void this.#killAfter(drainMs, over.signal).catch(() => undefined);
    // One that is only starting has nothing to drain.
    const serving = new Set(this.serving.map(({ process }) => process));
    for (const process of this.#running) if (!serving.has(process)) process.kill();
    await Promise.all([...this.#running].map(({ ended }) => ended));
    await Promise.all(this.#kept);
    over.abort();
  }

  /** The two times one after the other: a drain may be as long as a timer can be. */
  async #killAfter(drainMs: number, signal: AbortSignal): Promise<void> {
    await wait(drainMs, undefined, { signal });
    await wait(defaultLimits.workerEndTimeoutMs, undefined, { signal });
    for (const process of this.#running) process.kill();
  }

  /** Waits for its end, and starts another in its place, until all are ended. */
  async #keep(worker: Worker, sinceMs: number): Promise<void> {
    const { number } = worker;
    const delays = new RestartDelays();
    let ended = await worker.process.ended;
    let startedMs = sinceMs;
    while (!this.#stop.signal.aborted) {
      const delayMs = delays.next(performance.now() - startedMs);
      if (delayMs === undefined) {
        const message = `worker ${number} died ${defaultLimits.workerRestartsMax + 1} times (${ended}); the gateway ends`;
        return this.#failed.reject(new ProxyError('internal', message));
      }
      this.#options.log('error', `worker ${number} is gone (${ended}); it is started again in ${delayMs} ms`);
      await wait(delayMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (this.#stop.signal.aborted) return;
      startedMs = performance.now();
      try {
        const next = await this.#startOne(number);
        this.#restarts += 1;
        this.#options.log('info', `worker ${number} serves again`);
        ended = await next.process.ended;
      } catch (error) {
        ended = error instanceof Error ? error.message : String(error);
      }
    }
  }

  /** Resolves when it serves. Throws what it says if it does not come to that. */
  async #startOne(number: number): Promise<Worker> {
    // They may be ended while the first one starts.
    this.#stop.signal.throwIfAborted();
    const process = this.#options.launch();
    this.#running.add(process);
    const ready = Promise.withResolvers<void>();
    const channel: Channel = new WorkerChannel<WorkerOrder, WorkerReport>({
      port: process.port,
      responders: this.#options.responders(number),
      onWord: (report) => {
        if (report.kind === 'here')
          channel.tell({ kind: 'start', start: this.#options.start(number, this.#onDuty === number) });
        else if (report.kind === 'ready') ready.resolve();
        else if (report.kind === 'failed') ready.reject(new ProxyError(report.code, report.message));
        else this.#options.onReport(number, report);
      },
    });
    const timer = setTimeout(() => process.kill(), defaultLimits.workerStartTimeoutMs);
    const ended = process.ended.then((how) => {
      this.#running.delete(process);
      ready.reject(new ProxyError('internal', `worker ${number} ended at its start (${how})`));
    });
    try {
      await ready.promise;
    } catch (error) {
      process.kill();
      await ended;
      throw error;
    } finally {
      clearTimeout(timer);
    }
    const take: Taker['take'] = (connection, socket, port) =>
      channel.tell({ kind: 'connection', connection, port }, socket);
    const worker = { number, channel, process, take };
    this.#serving.set(number, worker);
    if (!this.#serving.has(this.#onDuty)) this.#onDuty = number;
    if (number === this.#onDuty) channel.tell({ kind: 'duty' });
    void ended.then(() => this.#gone(number));
    this.#options.onServing(worker);
    return worker;
  }

  #gone(number: number): void {
    this.#serving.delete(number);
    this.#options.onGone(number);
    // Its duties go to one that serves, and so does what it left open; else to the first that does again.
    const [heir] = this.serving;
    if (number === this.#onDuty && heir !== undefined) this.#onDuty = heir.number;
    this.#serving.get(this.#onDuty)?.channel.tell({ kind: 'duty' });
  }
}
