// A spool in a folder of its own, and a store that takes it as PostgreSQL does: batch and place in one step, or nothing.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProxyError } from '../../../../src/protocol/error.ts';
import { ProxyError as Fault } from '../../../../src/protocol/error.ts';
import { defaultLimits, type Limits } from '../../../../src/protocol/limits.ts';
import type { AuditEvent } from '../../../../src/api/audit-event.ts';
import type { SpoolGap } from '../../../../src/gateway/audit/spool/spool-reader.ts';
import { SpooledAudit } from '../../../../src/gateway/audit/spool/spooled-audit.ts';
import type { OpenFile } from '../../../../src/gateway/audit/spool/spool-segment.ts';
import type { AuditDelivery, AuditEntry, SpoolBatch } from '../../../../src/store/store.ts';

export function entry(id: string, changes: Partial<AuditEntry> = {}): AuditEntry {
  return { id, verdict: 'allow', kind: 'exchange', timeMs: 1000, json: JSON.stringify({ id }), ...changes };
}

/** Small, so that a test meets the bounds. */
export const smallLimits: Limits = { ...defaultLimits, spoolReserveBytes: 64 * 1024 };

export class DeliveredStore implements AuditDelivery {
  readonly ids: string[] = [];
  readonly open = new Map<string, string>();
  readonly reached = new Map<string, number>();
  readonly finished = new Set<string>();
  /** What happens to the next batches: it may be lost on the way there, or on the way back. */
  failure: 'none' | 'before' | 'after' | 'batch' = 'none';
  failed = 0;
  deliveries = 0;

  async deliver({ spool, after, records }: SpoolBatch): Promise<number> {
    this.deliveries += 1;
    if (this.failure === 'batch' && records.length > 0) {
      this.failed += 1;
      throw new Fault('store_unavailable', 'it did not arrive');
    }
    if (this.failure === 'before') throw new Fault('store_unavailable', 'it is away');
    const has = this.reached.get(spool) ?? 0;
    if (has !== after) return has;
    for (const { kind, entry: one } of records) {
      if (kind === 'opened') this.open.set(one.id, spool);
      else {
        this.ids.push(one.id);
        if (one.wasOpen === true) this.open.delete(one.id);
      }
    }
    const last = records.at(-1)?.sequence ?? after;
    this.reached.set(spool, last);
    if (this.failure === 'after' && records.length > 0)
      throw new Fault('store_unavailable', 'the connection broke');
    return last;
  }

  async finish(spool: string): Promise<void> {
    this.finished.add(spool);
  }

  async leftOpen(): Promise<readonly AuditEvent[]> {
    return [...this.open]
      .filter(([, spool]) => this.finished.has(spool))
      .map(([id]) => ({
        v: 1,
        id,
        time: '2026-01-01T00:00:00.000Z',
        kind: 'exchange',
        traceId: 't',
        verdict: 'unknown',
      }));
  }
}

export interface Scene extends AsyncDisposable {
  readonly directory: string;
  readonly store: DeliveredStore;
  readonly faults: ProxyError[];
  readonly gaps: SpoolGap[];
  open(options?: { readonly limits?: Limits; readonly openFile?: OpenFile }): Promise<SpooledAudit>;
}

export async function spoolScene(): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'upstreamproxy-spool-'));
  const store = new DeliveredStore();
  const faults: ProxyError[] = [];
  const gaps: SpoolGap[] = [];
  const directory = join(folder, 'spool');
  return {
    directory,
    store,
    faults,
    gaps,
    open: ({ limits = smallLimits, openFile } = {}) =>
      SpooledAudit.open({
        directory,
        store,
        delivery: store,
        limits,
        onFault: (error) => void faults.push(error),
        onGap: (_spool, gap) => void gaps.push(gap),
        ...(openFile === undefined ? {} : { openFile }),
      }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
