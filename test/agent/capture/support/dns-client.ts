// Questions of DNS as tests ask them, and the part of an answer that they look at.

import assert from 'node:assert/strict';

export interface QuestionOptions {
  readonly id?: number;
  readonly class?: number;
  /** Version of EDNS to send. */
  readonly edns?: number;
}

/** One question with recursion desired. Labels are taken as they are. */
export function dnsQuery(name: string, type: number, options: QuestionOptions = {}): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(options.id ?? 1, 0);
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(options.edns === undefined ? 0 : 1, 10);
  const labels = name === '' ? [] : name.split('.');
  const question = Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label, 'latin1')])),
    Buffer.alloc(5),
  ]);
  question.writeUInt16BE(type, question.length - 4);
  question.writeUInt16BE(options.class ?? 1, question.length - 2);
  const opt = Buffer.from('0000290500000000000000', 'hex');
  if (options.edns === undefined) return Buffer.concat([header, question]);
  opt.writeUInt8(options.edns, 6);
  return Buffer.concat([header, question, opt]);
}

export interface DnsAnswer {
  readonly code: number;
  /** Addresses of A records, hexadecimal data of others. */
  readonly data: readonly string[];
}

/** Reads an answer to a question without EDNS. */
export function readDnsAnswer(reply: Uint8Array | undefined, query: Buffer): DnsAnswer {
  assert.ok(reply !== undefined, 'there is an answer');
  const bytes = Buffer.from(reply);
  assert.equal(bytes.readUInt16BE(0), query.readUInt16BE(0), 'the id is that of the question');
  const data: string[] = [];
  let at = query.length;
  for (let count = bytes.readUInt16BE(6); count > 0; count--) {
    const type = bytes.readUInt16BE(at + 2);
    const length = bytes.readUInt16BE(at + 10);
    const value = bytes.subarray(at + 12, at + 12 + length);
    data.push(type === 1 ? [...value].join('.') : value.toString('hex'));
    at += 12 + length;
  }
  assert.equal(at, bytes.length, 'nothing stands behind the records');
  return { code: bytes.readUInt8(3) & 15, data };
}
