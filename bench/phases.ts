// The phases of the comparison: bulk, requests, new connections, requests with bodies, idle streams.

import { isPeer, operations } from './comparison.ts';
import type { Operation, Row } from './comparison.ts';
import { keyedHosts } from './contenders.ts';
import type { Contender, OriginProcess } from './contenders.ts';
import type { LoadGenerator } from './load/load-generator.ts';
import type { LoadJob, LoadResult, LoadTarget } from './load/load-job.ts';
import { measure } from './measure.ts';
import { residentKilobytes } from './process-usage.ts';
import type { CostWindow } from './report/statistics.ts';

export interface PhaseOptions {
  readonly bulkBytes: number;
  readonly phaseMs: number;
  /** None: memory of idle streams is not measured. */
  readonly idleStreams: number;
  /** Whether requests with bodies are measured too. */
  readonly posts: boolean;
}

/** What is measured with one contender in one round, and collected over all. */
export class Phases {
  readonly contender: Contender;
  readonly rounds: Row[] = [];
  readonly windows = new Map<string, CostWindow[]>();
  #row: Record<string, number> = {};
  readonly #generator: LoadGenerator;
  readonly #origin: OriginProcess;
  readonly #options: PhaseOptions;

  constructor(
    contender: Contender,
    { generator, origin }: { readonly generator: LoadGenerator; readonly origin: OriginProcess },
    options: PhaseOptions,
  ) {
    this.contender = contender;
    this.#generator = generator;
    this.#origin = origin;
    this.#options = options;
  }

  /** One round; with `counts` false its figures are dropped. */
  async round(counts: boolean, isLast: boolean): Promise<Row> {
    this.#row = {};
    const { to } = this.contender;
    const { bulkBytes: bytes, phaseMs: ms } = this.#options;
    const megabytes = bytes / 1e6;
    const down = await this.#phase('GB down', { kind: 'download', to, bytes });
    this.#row['down MB/s'] = megabytes / down.seconds;
    const up = await this.#phase('GB up', { kind: 'upload', to, bytes });
    this.#row['up MB/s'] = megabytes / up.seconds;
    for (const connections of [16, 1] as const) {
      const n = `n=${connections}` as const;
      const result = await this.#phase(`request ${n}`, { kind: 'requests', to, connections, ms });
      this.#row[`req/s ${n}`] = result.count / result.seconds;
      this.#row[`p50 µs ${n}`] = result.p50;
      this.#row[`p99 µs ${n}`] = result.p99;
    }
    const fresh = await this.#phase('new connection', { kind: 'connections', to, workers: 8, ms });
    this.#row['new TLS conn/s'] = fresh.count / fresh.seconds;
    this.#row['p50 µs conn'] = fresh.p50;
    this.#row['p99 µs conn'] = fresh.p99;
    if (this.#options.posts) await this.#posts();
    if (isLast && this.#options.idleStreams > 0) await this.#idle();
    if (counts) this.rounds.push(this.#row);
    else this.windows.clear();
    return this.#row;
  }

  async #phase(operation: Operation, job: LoadJob): Promise<LoadResult> {
    const beside = { origin: this.#origin.pids };
    const { result, cpu, windows } = await measure(this.#generator, this.contender, job, beside);
    const { factor } = operations[operation];
    for (const [role, seconds] of Object.entries(cpu))
      this.#row[`CPU ${operation} ${role}`] = (seconds * factor) / result.count;
    for (const [role, list] of Object.entries(windows)) {
      const key = `${operation} ${role}`;
      this.windows.set(key, [...(this.windows.get(key) ?? []), ...list]);
    }
    return result;
  }

  /** Small bodies: with a credential each costs a connection of HTTP/1.1 to the origin, or a stream of HTTP/2. squid gives nobody one. */
  async #posts(): Promise<void> {
    const { to, name } = this.contender;
    const { keyedPorts } = this.#origin;
    const targets: [Operation, string, LoadTarget][] = [['POST, no credential', 'POST/s plain', to]];
    if (!isPeer(name) || name === 'direct')
      targets.push(
        [
          'POST, credential, HTTP/1.1',
          'POST/s credential http1',
          { ...to, originPort: keyedPorts.http1, host: keyedHosts.http1 },
        ],
        [
          'POST, credential, HTTP/2',
          'POST/s credential http2',
          { ...to, originPort: keyedPorts.http2, host: keyedHosts.http2 },
        ],
      );
    for (const [operation, metric, target] of targets) {
      const job = {
        kind: 'requests',
        to: target,
        connections: 16,
        ms: this.#options.phaseMs,
        bodyBytes: 256,
      } as const;
      const result = await this.#phase(operation, job);
      this.#row[metric] = result.count / result.seconds;
    }
  }

  async #idle(): Promise<void> {
    const { idleStreams: count } = this.#options;
    const { to } = this.contender;
    const resident = (): Record<string, number> =>
      Object.fromEntries(
        Object.entries(this.contender.pids()).map(([role, pids]) => [role, residentKilobytes(pids)]),
      );
    const before = resident();
    await this.#generator.run({ kind: 'hold', to, count });
    for (const [role, kilobytes] of Object.entries(resident()))
      this.#row[`KB/idle ${role}`] = (kilobytes - (before[role] ?? 0)) / count;
    await this.#generator.run({ kind: 'release' });
  }
}
