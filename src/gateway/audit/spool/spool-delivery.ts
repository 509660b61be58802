// Brings one spool to the store, batch by batch. How far it is, the store says, in the transaction of each batch: a kill between two of
// them, another one who delivers the same, and a store that went back are all the same here.

import { defaultLimits } from '../../../protocol/limits.ts';
import type { AuditDelivery } from '../../../store/store.ts';
import type { SpoolGap, SpoolReader } from './spool-reader.ts';

export interface SpoolDeliveryOptions {
  readonly spool: string;
  readonly reader: SpoolReader;
  readonly delivery: AuditDelivery;
  /** Told once of each; the records behind it are delivered all the same. */
  readonly onGap: (spool: string, gap: SpoolGap) => void;
}

export class SpoolDelivery {
  readonly #options: SpoolDeliveryOptions;
  /** How far the store is, as it said last. */
  #reached = 0;
  /** When it said so. */
  #heardMs = Number.NEGATIVE_INFINITY;
  /** Whether the next batch goes on there; else the store is asked first. */
  #isCertain = false;
  #toldThrough = 0;

  constructor(options: SpoolDeliveryOptions) {
    this.#options = options;
  }

  get reached(): number {
    return this.#reached;
  }

  /**
   * Delivers one batch, or says now and then that the spool lives if there is none. Gives whether there may be more.
   * @throws ProxyError store_unavailable, audit_unavailable; the next call goes on
   */
  async step(): Promise<boolean> {
    const { spool, reader, delivery, onGap } = this.#options;
    const { spoolBatchEventsMax, spoolBatchBytesMax, spoolSignOfLifeMs } = defaultLimits;
    try {
      if (!this.#isCertain) await this.#goOnFrom(await delivery.deliver({ spool, after: 0, records: [] }));
      const after = this.#reached;
      const { records, gap } = await reader.next(spoolBatchEventsMax, spoolBatchBytesMax);
      if (gap !== undefined && gap.through > this.#toldThrough) {
        this.#toldThrough = gap.through;
        onGap(spool, gap);
      }
      if (records.length === 0 && performance.now() - this.#heardMs < spoolSignOfLifeMs) return false;
      const reached = await delivery.deliver({ spool, after, records });
      this.#heardMs = performance.now();
      const last = records.at(-1)?.sequence ?? after;
      if (reached === last) this.#reached = reached;
      else await this.#goOnFrom(reached);
      return records.length > 0 || reached !== last;
    } catch (error) {
      // What was read is read again: whether it was stored, the store says.
      this.#isCertain = false;
      throw error;
    }
  }

  async #goOnFrom(sequence: number): Promise<void> {
    await this.#options.reader.seek(sequence);
    this.#reached = sequence;
    this.#heardMs = performance.now();
    this.#isCertain = true;
  }
}

/** What a person has to know of records that are missing. */
export function gapMessage(spool: string, { from, through }: SpoolGap): string {
  const count = through - from + 1;
  return `${count} records of the audit's spool ${spool} are missing or damaged (${from} to ${through}).`;
}
