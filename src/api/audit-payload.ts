// An event of the audit as the payload of a record (protocol/spool-record.ts), big endian:
//   verdict u8 | kind u8 | flags u8 | time f64 | id | session | JSON
// Id and session are UTF-8 behind a u16 of their length; a session of length 0 is none. The JSON goes on to the end. Whoever stores
// the event need not parse it: what it is found by stands before it.

import type { RecordWriter } from '../protocol/spool-record.ts';
import type { AuditEvent } from './audit-event.ts';

/** An event as it is stored: its JSON, and beside it what it can be found by. */
export interface AuditFacts {
  readonly id: string;
  readonly sessionId?: string;
  readonly verdict: AuditEvent['verdict'];
  readonly kind: AuditEvent['kind'];
  readonly timeMs: number;
  readonly json: string;
  /** It was stored as open: its marker goes when the event comes. */
  readonly wasOpen?: boolean;
}

/** The same as it comes out of a record. */
export interface AuditPayload extends Omit<AuditFacts, 'json'> {
  /** UTF-8; a view, not a copy. */
  readonly json: Uint8Array<ArrayBuffer>;
}

const verdicts = [
  'allow',
  'deny',
  'error',
  'info',
  'unknown',
] as const satisfies readonly AuditEvent['verdict'][];
const kinds = ['exchange', 'stream', 'session', 'alarm'] as const satisfies readonly AuditEvent['kind'][];
const wasOpenFlag = 1;
const fixedBytes = 11;

/** Between `begin` and `end` of the writer. @throws RangeError for an id or session that is too long */
export function putAuditPayload(writer: RecordWriter, facts: AuditFacts): void {
  const { id, sessionId, verdict, kind, timeMs, json, wasOpen } = facts;
  writer.putUint8(verdicts.indexOf(verdict));
  writer.putUint8(kinds.indexOf(kind));
  writer.putUint8(wasOpen === true ? wasOpenFlag : 0);
  writer.putFloat64(timeMs);
  writer.putShortText(id);
  writer.putShortText(sessionId ?? '');
  writer.putText(json);
}

/** Undefined for octets that `putAuditPayload` did not write. */
export function readAuditPayload(payload: Uint8Array<ArrayBuffer>): AuditPayload | undefined {
  if (payload.length < fixedBytes) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const [verdict, kind] = [verdicts[view.getUint8(0)], kinds[view.getUint8(1)]];
  const flags = view.getUint8(2);
  if (verdict === undefined || kind === undefined || flags > wasOpenFlag) return undefined;
  const id = readShortText(payload, view, fixedBytes);
  const session = id === undefined ? undefined : readShortText(payload, view, id.end);
  if (id === undefined || session === undefined) return undefined;
  return {
    id: id.text,
    ...(session.text === '' ? {} : { sessionId: session.text }),
    verdict,
    kind,
    timeMs: view.getFloat64(3),
    json: payload.subarray(session.end),
    ...(flags === wasOpenFlag ? { wasOpen: true } : {}),
  };
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readShortText(
  payload: Uint8Array<ArrayBuffer>,
  view: DataView,
  at: number,
): { readonly text: string; readonly end: number } | undefined {
  if (at + 2 > payload.length) return undefined;
  const end = at + 2 + view.getUint16(at);
  if (end > payload.length) return undefined;
  try {
    return { text: decoder.decode(payload.subarray(at + 2, end)), end };
  } catch {
    return undefined;
  }
}
