// Messages of DNS (RFC 1035, RFC 6891) as far as a resolver needs them that answers every question itself. Pure and
// strict: what is not one plain question is refused or ignored, and nothing is allocated from a claimed length.

import { dnsHeaderBytes, readDnsName } from '../../protocol/dns-name.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** One question, as a stub resolver asks it. */
export interface DnsQuery {
  readonly id: number;
  readonly recursionDesired: boolean;
  /** Lower case, labels joined by dots, no dot at the end; empty for the root. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The question's octets, with the case that the client used; it goes into the answer unchanged. */
  readonly question: Uint8Array;
  /** The version of EDNS that came with it, if any. */
  readonly edns?: number;
}

export type DnsRequest =
  | { readonly kind: 'query'; readonly query: DnsQuery }
  /** An answer by itself: the message is no question that is answered here. */
  | { readonly kind: 'refused'; readonly reply: Uint8Array }
  /** Nothing that may be answered, or two resolvers could talk for ever. */
  | { readonly kind: 'ignored' };

export interface DnsRecord {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly data: Uint8Array;
}

export const dnsType = { a: 1, ptr: 12, aaaa: 28, opt: 41, any: 255 } as const;
export const dnsClass = { internet: 1, any: 255 } as const;
export const dnsCode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
} as const;

export type DnsCode = (typeof dnsCode)[keyof typeof dnsCode];

/** What a client may send us (RFC 6891 §6.2.3); our own answers are all shorter than 512 octets. */
const udpPayloadBytes = 1232;

const flag = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursion: 0x0100,
  available: 0x0080,
};
const pointerToQuestion = 0xc000 | dnsHeaderBytes;

/** Reads one message of a client. */
export function readDnsRequest(bytes: Uint8Array): DnsRequest {
  if (bytes.length < dnsHeaderBytes || bytes.length > defaultLimits.captureDnsRequestBytesMax)
    return { kind: 'ignored' };
  const message = viewOf(bytes);
  const flags = message.getUint16(2);
  if ((flags & flag.response) !== 0) return { kind: 'ignored' };
  if (((flags >> 11) & 15) !== 0) return refuse(message, dnsCode.notImplemented);
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => message.getUint16(at));
  const isPlain = questions === 1 && answers === 0 && authorities === 0 && (flags & flag.truncated) === 0;
  const name = isPlain ? readDnsName(bytes, dnsHeaderBytes) : undefined;
  if (name === undefined || name.end + 4 > bytes.length) return refuse(message, dnsCode.formatError);
  const end = name.end + 4;
  const additional = readAdditional(bytes, end, additionals ?? 0);
  if (additional === undefined) return refuse(message, dnsCode.formatError);
  return {
    kind: 'query',
    query: {
      id: message.getUint16(0),
      recursionDesired: (flags & flag.recursion) !== 0,
      name: name.text,
      type: message.getUint16(name.end),
      class: message.getUint16(name.end + 2),
      question: bytes.slice(dnsHeaderBytes, end),
      ...additional,
    },
  };
}

/** The answer to a query: its records all belong to the name that was asked for. */
export function writeDnsReply(
  query: DnsQuery,
  code: DnsCode,
  records: readonly DnsRecord[] = [],
): Uint8Array {
  // RFC 6891 §6.1.3: an unknown version is answered with BADVERS, whose upper bits stand in the OPT record.
  const isBadVersion = query.edns !== undefined && query.edns > 0;
  const answers = isBadVersion ? [] : records;
  const answerBytes = answers.reduce((sum, { data }) => sum + 12 + data.length, 0);
  const optBytes = query.edns === undefined ? 0 : 11;
  const bytes = new Uint8Array(dnsHeaderBytes + query.question.length + answerBytes + optBytes);
  const message = viewOf(bytes);
  const recursion = query.recursionDesired ? flag.recursion : 0;
  message.setUint16(0, query.id);
  message.setUint16(
    2,
    flag.response | flag.authoritative | recursion | flag.available | (isBadVersion ? 0 : code),
  );
  message.setUint16(4, 1);
  message.setUint16(6, answers.length);
  message.setUint16(10, query.edns === undefined ? 0 : 1);
  bytes.set(query.question, dnsHeaderBytes);
  let at = dnsHeaderBytes + query.question.length;
  for (const record of answers) at = writeRecord(bytes, at, record);
  if (query.edns !== undefined) {
    // Root name, OPT, payload size as the class; the first octet of the TTL is the extended code.
    message.setUint16(at + 1, dnsType.opt);
    message.setUint16(at + 3, udpPayloadBytes);
    message.setUint8(at + 5, isBadVersion ? 1 : 0);
  }
  return bytes;
}

function writeRecord(bytes: Uint8Array, at: number, { type, ttlSeconds, data }: DnsRecord): number {
  const message = viewOf(bytes);
  message.setUint16(at, pointerToQuestion);
  message.setUint16(at + 2, type);
  message.setUint16(at + 4, dnsClass.internet);
  message.setUint32(at + 6, ttlSeconds);
  message.setUint16(at + 10, data.length);
  bytes.set(data, at + 12);
  return at + 12 + data.length;
}

/** Looks for the OPT record; other additional records are passed over. Undefined: malformed. */
function readAdditional(
  bytes: Uint8Array,
  start: number,
  count: number,
): { readonly edns?: number } | undefined {
  const message = viewOf(bytes);
  let edns: number | undefined;
  let at = start;
  for (let index = 0; index < count; index++) {
    const name = readDnsName(bytes, at);
    if (name === undefined || name.end + 10 > bytes.length) return undefined;
    if (message.getUint16(name.end) === dnsType.opt) {
      // RFC 6891 §6.1.1: one, and its name is the root.
      if (edns !== undefined || name.text !== '') return undefined;
      edns = message.getUint8(name.end + 5);
    }
    at = name.end + 10 + message.getUint16(name.end + 8);
    if (at > bytes.length) return undefined;
  }
  return edns === undefined ? {} : { edns };
}

/** The header alone, with the id and what was asked for copied. */
function refuse(message: DataView, code: DnsCode): DnsRequest {
  const reply = new Uint8Array(dnsHeaderBytes);
  const answer = viewOf(reply);
  answer.setUint16(0, message.getUint16(0));
  answer.setUint16(2, flag.response | (message.getUint16(2) & 0x7900) | flag.available | code);
  return { kind: 'refused', reply };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
