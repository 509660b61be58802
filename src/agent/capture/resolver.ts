// The resolver of the workload: it asks nobody, and answers every name with an address that stands for it.

import { isAddressLiteral, parseAuthority } from '../../http/authority.ts';
import { formatIpv4, parseIpv4 } from '../../http/ip-address.ts';
import { ProxyError } from '../../protocol/error.ts';
import {
  type DnsQuery,
  type DnsRecord,
  dnsClass,
  dnsCode,
  dnsType,
  readDnsRequest,
  writeDnsReply,
} from './dns-message.ts';
import type { FakeAddresses } from './fake-addresses.ts';
import { encodeDnsName } from '../../protocol/dns-name.ts';

/** Clients that keep an address for longer than that are served as long as the name is remembered. */
const ttlSeconds = 30;

/** The answer to one message, or undefined if it gets none. */
export function answerDns(bytes: Uint8Array, addresses: FakeAddresses): Uint8Array | undefined {
  const request = readDnsRequest(bytes);
  switch (request.kind) {
    case 'ignored':
      return undefined;
    case 'refused':
      return request.reply;
    case 'query':
      return answerQuery(request.query, addresses);
  }
}

function answerQuery(query: DnsQuery, addresses: FakeAddresses): Uint8Array {
  if (query.class !== dnsClass.internet && query.class !== dnsClass.any)
    return writeDnsReply(query, dnsCode.refused);
  if (query.name.endsWith('.arpa')) return answerReverse(query, addresses);
  if (query.name === 'localhost' || query.name.endsWith('.localhost')) return answerLocalhost(query);
  // A single label is a name of the machine or its network, never of an origin.
  if (/^[^.]+$/.test(query.name)) return writeDnsReply(query, dnsCode.noSuchName);
  const name = canonicalName(query.name);
  if (name === undefined) return writeDnsReply(query, dnsCode.refused);
  // AAAA, HTTPS, SVCB and all others: the name is there, but has none of these.
  if (query.type !== dnsType.a && query.type !== dnsType.any) return writeDnsReply(query, dnsCode.noError);
  const address = addresses.addressOf(name);
  if (address === undefined) return writeDnsReply(query, dnsCode.serverFailure);
  return writeDnsReply(query, dnsCode.noError, [addressRecord(address)]);
}

/** A name as CONNECT takes it; an address in its place, or anything that the gateway would not parse, is refused. */
function canonicalName(name: string): string | undefined {
  try {
    const { host } = parseAuthority(name, { defaultPort: 443 });
    return host === '' || isAddressLiteral(host) !== 0 || name.includes(':') ? undefined : host;
  } catch (error) {
    if (error instanceof ProxyError && error.code === 'authority_malformed') return undefined;
    throw error;
  }
}

/** RFC 6761 §6.3: loopback, without asking anybody. */
function answerLocalhost(query: DnsQuery): Uint8Array {
  const records: DnsRecord[] = [];
  if (query.type === dnsType.a || query.type === dnsType.any) records.push(addressRecord('127.0.0.1'));
  if (query.type === dnsType.aaaa || query.type === dnsType.any) {
    const data = new Uint8Array(16);
    data[15] = 1;
    records.push({ type: dnsType.aaaa, ttlSeconds, data });
  }
  return writeDnsReply(query, dnsCode.noError, records);
}

function answerReverse(query: DnsQuery, addresses: FakeAddresses): Uint8Array {
  const [, d, c, b, a] = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(query.name) ?? [];
  const address = parseIpv4(`${a}.${b}.${c}.${d}`);
  const name = address === undefined ? undefined : addresses.nameOf(formatIpv4(address));
  if (name === undefined) return writeDnsReply(query, dnsCode.noSuchName);
  const isAsked = query.type === dnsType.ptr || query.type === dnsType.any;
  const record = { type: dnsType.ptr, ttlSeconds, data: encodeDnsName(name) };
  return writeDnsReply(query, dnsCode.noError, isAsked ? [record] : []);
}

function addressRecord(address: string): DnsRecord {
  return { type: dnsType.a, ttlSeconds, data: Uint8Array.from(address.split('.').map(Number)) };
}
