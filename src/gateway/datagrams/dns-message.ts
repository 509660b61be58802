// Messages of DNS (RFC 1035 §4) as far as it has to be known what they ask for. Pure and strict: what two readers could read in two ways is
// no query.

import { dnsHeaderBytes, readDnsName } from '../../protocol/dns-name.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export interface DnsQuestion {
  readonly id: number;
  /** Lower case, labels joined by dots, no dot at the end; empty for the root. */
  readonly name: string;
  readonly type: number;
  /** Id and question as octets: what a response to it begins with, but for flags and counts. */
  readonly key: string;
  readonly end: number;
}

const refusedCode = 5;

/** Undefined for what is no plain query with one question in the class of the internet. */
export function readDnsQuery(bytes: Uint8Array): DnsQuestion | undefined {
  if (bytes.length > defaultLimits.dnsQueryBytesMax) return undefined;
  const question = readQuestion(bytes);
  if (question === undefined) return undefined;
  const flags = sixteen(bytes, 2);
  // A response, another operation, or one that was cut; its other sections belong to responses.
  if ((flags & 0xfa00) !== 0 || sixteen(bytes, 6) !== 0 || sixteen(bytes, 8) !== 0) return undefined;
  return isOnlyEdns(bytes, question.end, sixteen(bytes, 10)) ? question : undefined;
}

/** The key of the query that it responds to; undefined for what is no response. */
export function readDnsResponse(bytes: Uint8Array): string | undefined {
  const question = readQuestion(bytes);
  return question !== undefined && (sixteen(bytes, 2) & 0x8000) !== 0 ? question.key : undefined;
}

/** What a resolver says that does not serve the query: REFUSED, and the question again. */
export function refusedDns(query: Uint8Array, { end }: DnsQuestion): Uint8Array {
  // A copy: what a Buffer gives by `slice` is the query itself.
  const reply = Uint8Array.from(query.subarray(0, end));
  reply[2] = 0x80 | ((query[2] ?? 0) & 0x01);
  reply[3] = refusedCode;
  reply.fill(0, 6, dnsHeaderBytes);
  return reply;
}

function readQuestion(bytes: Uint8Array): DnsQuestion | undefined {
  if (bytes.length < dnsHeaderBytes || sixteen(bytes, 4) !== 1) return undefined;
  const name = readDnsName(bytes, dnsHeaderBytes);
  // Other octets than those of names are no name that a rule has.
  if (name === undefined || !/^[\w.-]*$/.test(name.text)) return undefined;
  if (name.end + 4 > bytes.length || sixteen(bytes, name.end + 2) !== 1) return undefined;
  const end = name.end + 4;
  const type = sixteen(bytes, name.end);
  const id = sixteen(bytes, 0);
  // The case of letters is kept: resolvers repeat it, and some clients look at it.
  const key = `${String(id)} ${Buffer.from(bytes.subarray(dnsHeaderBytes, end)).toString('latin1')}`;
  return { id, name: name.text, type, key, end };
}

/** Behind the question there is nothing, or one record OPT (RFC 6891 §6.1.2) to the last octet. */
function isOnlyEdns(bytes: Uint8Array, at: number, additionals: number): boolean {
  if (additionals === 0) return at === bytes.length;
  if (additionals !== 1 || bytes[at] !== 0 || at + 11 > bytes.length) return false;
  return sixteen(bytes, at + 1) === 41 && at + 11 + sixteen(bytes, at + 9) === bytes.length;
}

function sixteen(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
