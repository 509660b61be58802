// The messages by which nf_tables (linux/netfilter/nf_tables.h) gets a table with one rule, so that no program is needed for it: each
// port of a network of addresses is led to another port, and the address stays.

import { parseIpv4 } from '../../http/ip-address.ts';
import { encodeAttribute, encodeMessage, NLMSG_ERROR, type NetlinkMessage } from './netlink.ts';

export interface PortRule {
  /** In dotted form, and the length of its prefix. */
  readonly network: { readonly address: string; readonly bits: number };
  /** Ports that stay. */
  readonly except: readonly number[];
  readonly target: number;
}

const AF_UNSPEC = 0;
const AF_INET = 2;
const IPPROTO_TCP = 6;
const NLM_F_REQUEST_ACK = 0x1 | 0x4;
const NLM_F_CREATE = 0x400;
const NLM_F_APPEND = 0x800;
const NLA_F_NESTED = 0x8000;
/** struct nfgenmsg */
const familyBytes = 4;

const NFNL_SUBSYS_NFTABLES = 10;
const batchBegin = 0x10;
const batchEnd = 0x11;
const newTable = (NFNL_SUBSYS_NFTABLES << 8) | 0;
const newChain = (NFNL_SUBSYS_NFTABLES << 8) | 3;
const newRule = (NFNL_SUBSYS_NFTABLES << 8) | 6;

const table = 'upstreamproxy';
const chain = 'out';
/** NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST */
const [localOut, beforeRouting] = [3, -100];
/** NFT_REG_1 */
const register = 1;
/** NFT_CMP_EQ and NFT_CMP_NEQ */
const [equal, different] = [0, 1];
/** Bases of NFTA_PAYLOAD_BASE, and what is read there: the destination's address, the destination's port. */
const address = { base: 1, offset: 16, bytes: 4 } as const;
const port = { base: 2, offset: 2, bytes: 2 } as const;

/** One batch: the kernel does all of it or nothing. */
export function redirectBatch({ network, except, target }: PortRule): Buffer {
  const { bits } = network;
  const mask = bits === 0 ? 0 : (~0 << (32 - bits)) >>> 0;
  const expressions = [
    expression('payload', readPayload(address)),
    expression('bitwise', [
      ...registers,
      number(3, address.bytes),
      nested(4, value(word(mask))),
      nested(5, value(word(0))),
    ]),
    compare(equal, word((parseIpv4(network.address) ?? 0) & mask)),
    // NFTA_META_DREG, NFTA_META_KEY: NFT_META_L4PROTO
    expression('meta', [number(1, register), number(2, 16)]),
    compare(equal, Buffer.from([IPPROTO_TCP])),
    expression('payload', readPayload(port)),
    ...except.map((stays) => compare(different, portValue(stays))),
    expression('immediate', [number(1, register), nested(2, value(portValue(target)))]),
    // NFTA_NAT_TYPE: NFT_NAT_DNAT, NFTA_NAT_FAMILY, NFTA_NAT_REG_PROTO_MIN. Without an address of its own it changes the port alone.
    expression('nat', [number(1, 1), number(2, AF_INET), number(5, register)]),
  ];
  const hook = nested(4, number(1, localOut), number(2, beforeRouting));
  const messages: readonly Message[] = [
    { type: batchBegin, family: AF_UNSPEC, resource: NFNL_SUBSYS_NFTABLES, body: [] },
    { type: newTable, flags: NLM_F_CREATE, body: [text(1, table)] },
    { type: newChain, flags: NLM_F_CREATE, body: [text(1, table), text(3, chain), hook, text(7, 'nat')] },
    {
      type: newRule,
      flags: NLM_F_CREATE | NLM_F_APPEND,
      body: [text(1, table), text(2, chain), nested(4, ...expressions)],
    },
    { type: batchEnd, family: AF_UNSPEC, resource: NFNL_SUBSYS_NFTABLES, body: [] },
  ];
  return Buffer.concat(messages.map(encode));
}

/** How many messages of a batch the kernel replies to. */
export const repliesOfBatch = 3;

/** The replies among messages: 0 for one that was done, else a negated errno. */
export function readReplies(messages: readonly NetlinkMessage[]): readonly number[] {
  return messages
    .filter(({ type, body }) => type === NLMSG_ERROR && body.length >= 4)
    .map(({ body }) => body.readInt32LE(0));
}

interface Message {
  readonly type: number;
  readonly flags?: number;
  readonly family?: number;
  readonly resource?: number;
  readonly body: readonly Buffer[];
}

/** With struct nfgenmsg. */
function encode({ type, flags, family = AF_INET, resource = 0, body }: Message, sequence: number): Buffer {
  const header = Buffer.alloc(familyBytes);
  header.writeUInt8(family, 0);
  header.writeUInt16BE(resource, 2);
  return encodeMessage({
    type,
    // A batch's own ends get no reply.
    flags: flags === undefined ? 1 : NLM_F_REQUEST_ACK | flags,
    sequence,
    body: Buffer.concat([header, ...body]),
  });
}

/** NFTA_BITWISE_SREG and DREG. */
const registers: readonly Buffer[] = [number(1, register), number(2, register)];

function readPayload({ base, offset, bytes }: typeof address | typeof port): readonly Buffer[] {
  return [number(1, register), number(2, base), number(3, offset), number(4, bytes)];
}

function compare(operation: number, with_: Buffer): Buffer {
  return expression('cmp', [number(1, register), number(2, operation), nested(3, value(with_))]);
}

/** NFTA_LIST_ELEM with NFTA_EXPR_NAME and NFTA_EXPR_DATA. */
function expression(name: string, data: readonly Buffer[]): Buffer {
  return nested(1, text(1, name), nested(2, ...data));
}

/** NFTA_DATA_VALUE. */
function value(bytes: Buffer): Buffer {
  return encodeAttribute(1, bytes);
}

function text(type: number, content: string): Buffer {
  return encodeAttribute(type, Buffer.from(`${content}\0`, 'latin1'));
}

function number(type: number, content: number): Buffer {
  return encodeAttribute(type, word(content));
}

function nested(type: number, ...inside: readonly Buffer[]): Buffer {
  return encodeAttribute(type | NLA_F_NESTED, Buffer.concat(inside));
}

/** Numbers of nf_tables are in the order of the network. */
function word(content: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(content >>> 0);
  return bytes;
}

function portValue(content: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(content);
  return bytes;
}
