// A batch of the audit as records in one buffer, which is how it goes to whoever stores it.

import { putAuditPayload, readAuditPayload, type StoredPayload } from '../api/audit-payload.ts';
import { ProxyError } from '../protocol/error.ts';
import { readRecord, type RecordKind, RecordWriter } from '../protocol/spool-record.ts';
import type { AuditEntry } from './store.ts';

/** Room for a batch of events of the usual size. */
const batchBytesInitial = 128 * 1024;

/** What a record of the audit says. */
export interface AuditRecord {
  readonly kind: Exclude<RecordKind, 'head'>;
  readonly payload: StoredPayload;
}

/** Writes batches; the records of all of them are numbered one after the other. */
export class AuditRecordWriter {
  readonly #writer = new RecordWriter(batchBytesInitial);
  #sequence = 0;

  /** What begins, and then what ended, in a buffer of their own. */
  write(entries: readonly AuditEntry[], open: readonly AuditEntry[]): Uint8Array<ArrayBuffer> {
    try {
      for (const entry of open) this.#put('opened', entry);
      for (const entry of entries) this.#put('event', entry);
      return this.#writer.take();
    } catch (error) {
      // Nothing of a batch that could not be written goes out with the next one.
      this.#writer.take();
      throw error;
    }
  }

  #put(kind: AuditRecord['kind'], entry: AuditEntry): void {
    this.#sequence += 1;
    this.#writer.begin(kind, this.#sequence);
    putAuditPayload(this.#writer, entry);
    this.#writer.end();
  }
}

/** @throws ProxyError store_unavailable for octets that are no whole records, or whose records are not in sequence */
export function* auditRecords(bytes: Uint8Array<ArrayBuffer>): Generator<AuditRecord> {
  let expected: number | undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const record = readRecord(bytes, at, view);
    if (typeof record === 'string') throw damaged(record);
    const { kind, sequence, end } = record;
    const payload = kind === 'head' ? undefined : readAuditPayload(record.payload);
    if (kind === 'head' || payload === undefined) throw damaged('no event');
    if (sequence !== (expected ?? sequence)) throw damaged('out of sequence');
    expected = sequence + 1;
    at = end;
    yield { kind, payload };
  }
}

function damaged(how: string): ProxyError {
  return new ProxyError('store_unavailable', `A record of the audit cannot be stored: it is ${how}.`);
}
