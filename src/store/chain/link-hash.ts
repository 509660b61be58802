// The hash of a link: SHA-256 of the hash of the one before it, its number (u64) and the event as a record has it (api/audit-payload.ts),
// without its flags. It says all that the event is stored by, and where it stands; the JSON is taken as it is.

import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { type AuditFacts, putAuditPayload } from '../../api/audit-payload.ts';
import { recordHeaderBytes, RecordWriter } from '../../protocol/spool-record.ts';

const hashBytes = 32;
const payloadAt = hashBytes + 8;
/** An event of the usual size. */
const bytesInitial = 4096;
/** Of a payload: whether its event was open says nothing about the event. */
const flagsAt = payloadAt + 2;

export class LinkHasher {
  #bytes = Buffer.alloc(bytesInitial);
  readonly #records = new RecordWriter(bytesInitial);

  /** As base64url, as `before` is. @param payload of a record; as it is written, and left as it is */
  ofPayload(before: string, link: number, payload: Uint8Array): string {
    const length = payloadAt + payload.length;
    if (length > this.#bytes.length) this.#bytes = Buffer.alloc(length * 2);
    const bytes = this.#bytes;
    bytes.write(before, 0, hashBytes, 'base64url');
    bytes.writeUInt32BE(Math.floor(link / 2 ** 32), 32);
    bytes.writeUInt32BE(link % 2 ** 32, 36);
    bytes.set(payload, payloadAt);
    bytes[flagsAt] = 0;
    // As the text that the next row has: what makes a buffer of it first takes half as long again.
    return hash('sha256', bytes.subarray(0, length), 'base64url');
  }

  ofFacts(before: string, link: number, facts: AuditFacts): string {
    this.#records.begin('event', link);
    putAuditPayload(this.#records, facts);
    return this.ofPayload(before, link, this.#records.take().subarray(recordHeaderBytes));
  }

  /** Of a row, as base64url; undefined for what can't have been stored. */
  ofStored(before: string, link: number, facts: AuditFacts): string | undefined {
    if (Buffer.from(before, 'base64url').length !== hashBytes || link < 1) return undefined;
    try {
      return this.ofFacts(before, link, facts);
    } catch (error) {
      // An id or a session that is longer than any.
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }
}
