// An event of the audit as the payload of a record (protocol/spool-record.ts), big endian:
//   verdict u8 | kind u8 | flags u8 | time f64 | id | session | JSON
// Id and session are UTF-8 behind a u16 of their length; a session of length 0 is none. The JSON goes on to the end. Whoever stores
// the event need not parse it: what it is found by stands before it.

import type { RecordWriter } from '../protocol/spool-record.ts';
import type { AuditEvent } from './audit-event.ts';

/** An event as it is stored: its JSON, and beside it what it can be found by. */
export interface AuditFacts {
  readonly id: string;
  readonly sessionId?: string | undefined;
  readonly verdict: AuditEvent['verdict'];
  readonly kind: AuditEvent['kind'];
  readonly timeMs: number;
  readonly json: string;
  /** The same as UTF-8, where whoever made it keeps that. */
  readonly jsonOctets?: Uint8Array;
  /** It was stored as open: its marker goes when the event comes. */
  readonly wasOpen?: boolean | undefined;
}

/** The same as it comes out of a record. */
export interface AuditPayload extends Omit<AuditFacts, 'json' | 'jsonOctets'> {
  /** UTF-8; a view, not a copy. */
  readonly json: Uint8Array<ArrayBuffer>;
}

/** And the octets that say it: a view, not a copy. */
export interface StoredPayload extends AuditPayload {
  readonly octets: Uint8Array<ArrayBuffer>;
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
  const { id, sessionId, verdict, kind, timeMs, jsonOctets, wasOpen } = facts;
  writer.putUint8(verdicts.indexOf(verdict));
  writer.putUint8(kinds.indexOf(kind));
  writer.putUint8(wasOpen === true ? wasOpenFlag : 0);
  writer.putFloat64(timeMs);
  writer.putShortText(id);
  writer.putShortText(sessionId ?? '');
  if (jsonOctets === undefined) writer.putText(facts.json);
  else writer.putOctets(jsonOctets);
}

/** Undefined for octets that `putAuditPayload` did not write. */
export function readAuditPayload(octets: Uint8Array<ArrayBuffer>): StoredPayload | undefined {
  if (octets.length < fixedBytes) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const verdict = verdicts[view.getUint8(0)];
  const kind = kinds[view.getUint8(1)];
  const flags = view.getUint8(2);
  if (verdict === undefined || kind === undefined || flags > wasOpenFlag) return undefined;
  const idEnd = endOfShortText(view, fixedBytes);
  const sessionEnd = idEnd === undefined ? undefined : endOfShortText(view, idEnd);
  if (idEnd === undefined || sessionEnd === undefined) return undefined;
  const id = shortText(octets, fixedBytes, idEnd);
  const session = sessionText(octets, idEnd, sessionEnd);
  if (id === undefined || session === undefined) return undefined;
  const payload: { -readonly [Name in keyof StoredPayload]: StoredPayload[Name] } = {
    id,
    verdict,
    kind,
    timeMs: view.getFloat64(3),
    json: octets.subarray(sessionEnd),
    octets,
  };
  if (session !== '') payload.sessionId = session;
  if (flags === wasOpenFlag) payload.wasOpen = true;
  return payload;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function endOfShortText(view: DataView, at: number): number | undefined {
  if (at + 2 > view.byteLength) return undefined;
  const end = at + 2 + view.getUint16(at);
  return end > view.byteLength ? undefined : end;
}

function shortText(octets: Uint8Array, at: number, end: number): string | undefined {
  try {
    return decoder.decode(octets.subarray(at + 2, end));
  } catch {
    return undefined;
  }
}

let sessionOctets = new Uint8Array(0);
let sessionRead = '';

/** As a rule the one of the event before, whose text is known. */
function sessionText(octets: Uint8Array, at: number, end: number): string | undefined {
  if (isSession(octets, at + 2, end)) return sessionRead;
  const text = shortText(octets, at, end);
  if (text === undefined) return undefined;
  sessionOctets = octets.slice(at + 2, end);
  sessionRead = text;
  return text;
}

function isSession(octets: Uint8Array, begin: number, end: number): boolean {
  const { length } = sessionOctets;
  if (end - begin !== length) return false;
  for (let i = 0; i < length; i += 1) if (octets[begin + i] !== sessionOctets[i]) return false;
  return true;
}
