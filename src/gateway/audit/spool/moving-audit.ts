// The audit of a store that can be moved while its gateway runs: batches go to the store, and once it has moved to a spool, which a
// gateway on the new store delivers.

import type { AuditEvent } from '../../../api/audit-event.ts';
import type { AuditEntry, AuditStore } from '../../../store/store.ts';
import type { SpooledAudit, SpoolState } from './spooled-audit.ts';

export interface MovingAuditOptions {
  readonly store: Pick<AuditStore, 'append' | 'leftOpen'>;
  readonly hasMoved: () => boolean;
  /** Called once, when it has moved. It belongs to whoever opens it. */
  readonly openSpool: () => Promise<SpooledAudit>;
}

export class MovingAudit implements Pick<AuditStore, 'append' | 'leftOpen'> {
  readonly #options: MovingAuditOptions;
  #spool: SpooledAudit | undefined;

  constructor(options: MovingAuditOptions) {
    this.#options = options;
  }

  /** Whether something new may be begun. */
  get hasRoom(): boolean {
    return this.#spool?.hasRoom ?? true;
  }

  get state(): SpoolState {
    return this.#spool?.state ?? { waitingBytes: 0, waitingRecords: 0 };
  }

  /** One call at a time. What the store refused because it has moved is not in it, so nothing is there twice. */
  async append(entries: readonly AuditEntry[], open: readonly AuditEntry[] = []): Promise<void> {
    const { store, hasMoved, openSpool } = this.#options;
    if (this.#spool === undefined) {
      try {
        return await store.append(entries, open);
      } catch (error) {
        if (!hasMoved()) throw error;
      }
      this.#spool = await openSpool();
    }
    await this.#spool.append(entries, open);
  }

  /** What is left open at a store that has moved is told by gateways on the new one. */
  async leftOpen(limit: number): Promise<readonly AuditEvent[]> {
    return this.#options.hasMoved() ? [] : await this.#options.store.leftOpen(limit);
  }
}
