// Rows of the audit: what one more costs, what the newest are found in, and what a request costs beside them.

import { join } from 'node:path';

import { startGateway } from '../contenders.ts';
import type { Curve, Series } from '../growth.ts';
import { median } from '../report/statistics.ts';
import { measureRequests } from '../scene.ts';
import type { Scene } from '../scene.ts';
import { newEventId, newTraceId } from '../../src/gateway/audit/event-identity.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { AuditEntry, AuditStore } from '../../src/store/store.ts';

const batchRows = 1000;
const sessions = 200;

/** Events of requests as the gateway stores them, in sessions that take turns. */
function entries(from: number, count: number, template: string): AuditEntry[] {
  return Array.from({ length: count }, (_, i) => {
    // As the gateway makes them, in the order of time: random ones would be written all over their indexes.
    const [id, traceId] = [newEventId(), newTraceId()];
    const sessionId = `session-${(from + i) % sessions}`;
    const timeMs = Date.now();
    const event = {
      ...(JSON.parse(template) as object),
      id,
      traceId,
      sessionId,
      time: new Date(timeMs).toISOString(),
    };
    return { id, sessionId, verdict: 'allow', kind: 'exchange', timeMs, json: JSON.stringify(event) };
  });
}

interface AuditFigures {
  readonly size: number;
  /** Milliseconds. */
  readonly newest: number;
  readonly ofSession: number;
  /** Microseconds of CPU. */
  readonly append: number;
  readonly request: number;
}

export async function scaleAudit(
  scene: Scene,
  { sizes, phaseMs }: { readonly sizes: readonly number[]; readonly phaseMs: number },
): Promise<Series> {
  const directory = await scene.folder();
  const config = 'audit: { keepDays: 3650 }\n';
  const found: AuditFigures[] = [];
  let template: string | undefined;
  let rows = 0;
  for (const size of sizes) {
    // The gateway makes the store; the rows come in while it is down.
    template ??= await firstEvent(scene, directory, config);
    const store = await openStore(`sqlite:${join(directory, 'gateway', 'state.db')}`);
    const append = await fill(store.audit, { from: rows, to: size, template });
    rows = size;
    const newest = await timed(() => store.audit.query({ limit: 100, order: 'newest' }));
    const ofSession = await timed(() =>
      store.audit.query({ limit: 100, order: 'newest', sessionId: 'session-7' }),
    );
    await store.close();
    await using gateway = await startGateway(directory, scene.origin, { config });
    const agent = await gateway.startAgent();
    const { cpu } = await measureRequests(scene, agent, phaseMs);
    found.push({ size, newest, ofSession, append, request: cpu['gateway'] ?? Number.NaN });
    console.error(`audit: ${size} rows`);
  }
  const curve = (name: string, unit: string, cost: (figures: AuditFigures) => number): Curve => ({
    name,
    unit,
    work: 0,
    points: found.map((each) => ({ size: each.size, cost: cost(each) })),
  });
  return {
    title: 'Rows of the audit (SQLite)',
    sizeName: 'rows',
    curves: [
      curve('CPU of a row that is stored, batches of 1,000', 'µs', ({ append }) => append),
      curve('the newest 100', 'ms', ({ newest }) => newest),
      curve('the newest 100 of one session of 200', 'ms', ({ ofSession }) => ofSession),
      curve('gateway CPU of a request', 'µs', ({ request }) => request),
    ],
    notes: [],
  };
}

/** An event that the gateway itself wrote. */
async function firstEvent(scene: Scene, directory: string, config: string): Promise<string> {
  {
    await using gateway = await startGateway(directory, scene.origin, { config });
    const { to } = await gateway.startAgent();
    await scene.generator.run({ kind: 'requests', to, connections: 1, ms: 50 });
  }
  await using store = await openStore(`sqlite:${join(directory, 'gateway', 'state.db')}`);
  const [event] = await store.audit.query({ limit: 1, order: 'newest', kind: 'exchange' });
  if (event === undefined) throw new Error('the gateway wrote no event');
  return JSON.stringify(event);
}

/** Microseconds of CPU of a row, median of the last batches. */
async function fill(
  audit: AuditStore,
  { from, to, template }: { readonly from: number; readonly to: number; readonly template: string },
): Promise<number> {
  const costs: number[] = [];
  for (let row = from; row < to; row += batchRows) {
    const batch = entries(row, Math.min(batchRows, to - row), template);
    const before = process.cpuUsage();
    await audit.append(batch);
    const { user, system } = process.cpuUsage(before);
    costs.push((user + system) / batch.length);
  }
  return median(costs.slice(-50));
}

async function timed(query: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 15; i += 1) {
    const startMs = performance.now();
    await query();
    times.push(performance.now() - startMs);
  }
  return median(times);
}
