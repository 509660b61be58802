// A name server on loopback that responds from a function and keeps a log of what was asked.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

import { parseIpv4, parseIpv6 } from '../../src/http/ip-address.ts';

export interface DnsRecord {
  readonly ttl: number;
  /** IPv4 and IPv6 addresses; each query gets those of its family. */
  readonly addresses: readonly string[];
  /** The response is a chain: this name first, the addresses under it. Of several, each leads to the next. */
  readonly cname?: string | readonly string[];
}

/** What is done with a query: records, `nxdomain`, `servfail`, or no response at all. */
export type DnsReply = DnsRecord | 'nxdomain' | 'servfail' | 'silence';

export interface DnsServer extends AsyncDisposable {
  /** For the resolver's `servers`. */
  readonly server: string;
  /** `A name` and `AAAA name`, in the order of arrival. */
  readonly queries: readonly string[];
  /** Names whose alias alone was asked for, in the order of arrival. */
  readonly aliasQueries: readonly string[];
}

export async function startDnsServer(
  respond: (name: string, type: 'A' | 'AAAA') => DnsReply,
): Promise<DnsServer> {
  const socket = createSocket('udp4');
  const queries: string[] = [];
  const aliasQueries: string[] = [];
  /** What it said of each name so far: a chain is asked for link by link as well. */
  const links = new Map<string, string>();
  socket.on('message', (query, peer) => {
    const { name, end } = readName(query, 12);
    if (query.readUInt16BE(end) === 5) {
      aliasQueries.push(name);
      const cname = links.get(name) ?? [];
      const reply = encodeReply(query.subarray(0, end + 4), 'A', { ttl: 60, addresses: [], cname });
      socket.send(reply, peer.port, peer.address);
      return;
    }
    const type = query.readUInt16BE(end) === 28 ? 'AAAA' : 'A';
    queries.push(`${type} ${name}`);
    const reply = respond(name, type);
    if (reply === 'silence') return;
    if (typeof reply !== 'string') {
      const chain = [name, ...[reply.cname ?? []].flat()];
      for (const [at, next] of chain.slice(1).entries()) links.set((chain[at] ?? '').toLowerCase(), next);
    }
    socket.send(encodeReply(query.subarray(0, end + 4), type, reply), peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    server: `127.0.0.1:${socket.address().port}`,
    queries,
    aliasQueries,
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

function readName(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function encodeReply(
  question: Buffer,
  type: 'A' | 'AAAA',
  reply: DnsRecord | 'nxdomain' | 'servfail',
): Buffer {
  const header = Buffer.from(question);
  header.writeUInt16BE(0x8180 + (typeof reply === 'string' ? { nxdomain: 3, servfail: 2 }[reply] : 0), 2);
  header.writeUInt16BE(0, 10); // no additional records
  if (typeof reply === 'string') return header;
  const pointer = Buffer.from([0xc0, 12]);
  const records: Buffer[] = [];
  let owner: Buffer = pointer;
  for (const name of [reply.cname ?? []].flat()) {
    records.push(record(owner, 5, reply.ttl, encodeName(name)));
    owner = encodeName(name);
  }
  for (const address of reply.addresses) {
    const data = type === 'A' ? quadBytes(address) : groupBytes(address);
    if (data !== undefined) records.push(record(owner, type === 'A' ? 1 : 28, reply.ttl, data));
  }
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, ...records]);
}

function record(owner: Buffer, type: number, ttl: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, fixed, data]);
}

function encodeName(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function quadBytes(address: string): Buffer | undefined {
  const quad = parseIpv4(address);
  if (quad === undefined) return undefined;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(quad);
  return bytes;
}

function groupBytes(address: string): Buffer | undefined {
  const groups = parseIpv6(address);
  return groups === undefined
    ? undefined
    : Buffer.from(groups.flatMap((group) => [group >>> 8, group & 0xff]));
}
