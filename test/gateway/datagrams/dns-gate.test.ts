import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DnsGate } from '../../../src/gateway/datagrams/dns-gate.ts';
import { readDnsQuery, readDnsResponse, refusedDns } from '../../../src/gateway/datagrams/dns-message.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { randomFrom } from '../../../fuzz/run-target.ts';

const sixteen = (...values: readonly number[]): readonly number[] =>
  values.flatMap((value) => [value >> 8, value & 0xff]);

function nameOctets(name: string): readonly number[] {
  const labels = name === '' ? [] : name.split('.');
  const pieces = labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
  return Array.from(Buffer.concat([...pieces, Buffer.alloc(1)]));
}

interface Parts {
  readonly id?: number;
  readonly flags?: number;
  readonly counts?: readonly [number, number, number, number];
  readonly class?: number;
  readonly more?: readonly number[];
}

function message(name: string, parts: Parts = {}): Uint8Array {
  const { id = 7, flags = 0x0100, counts = [1, 0, 0, 0], class: of = 1, more = [] } = parts;
  return Uint8Array.from([...sixteen(id, flags, ...counts), ...nameOctets(name), ...sixteen(1, of), ...more]);
}

const edns = [0, ...sixteen(41, 1232), 0, 0, 0, 0, ...sixteen(0)];

test('a plain question is read, and nothing that could be read in two ways', () => {
  assert.equal(readDnsQuery(message('www.Example.com'))?.name, 'www.example.com');
  assert.equal(readDnsQuery(message(''))?.name, '');
  assert.equal(readDnsQuery(message('a.test', { counts: [1, 0, 0, 1], more: edns }))?.name, 'a.test');
  const refused: Readonly<Record<string, Uint8Array>> = {
    'a response': message('a.test', { flags: 0x8000 }),
    'another operation': message('a.test', { flags: 0x2800 }),
    'one that was cut': message('a.test', { flags: 0x0200 }),
    'no question': message('a.test', { counts: [0, 0, 0, 0] }),
    'two questions': message('a.test', {
      counts: [2, 0, 0, 0],
      more: [...nameOctets('b.test'), ...sixteen(1, 1)],
    }),
    'an answer in a question': message('a.test', { counts: [1, 1, 0, 0] }),
    'another class': message('a.test', { class: 3 }),
    'octets behind it': message('a.test', { more: [1] }),
    'octets behind its EDNS': message('a.test', { counts: [1, 0, 0, 1], more: [...edns, 1] }),
    'a record that is no EDNS': message('a.test', {
      counts: [1, 0, 0, 1],
      more: [0, ...sixteen(250), ...edns.slice(3)],
    }),
    'a dot in a label': message('x', { more: [] }).with(13, 46),
    'a pointer': Uint8Array.from([...sixteen(7, 256, 1, 0, 0, 0), 0xc0, 12, ...sixteen(1, 1)]),
    'a name without an end': Uint8Array.from([
      ...sixteen(7, 256, 1, 0, 0, 0),
      ...Array.from({ length: 130 }, () => [1, 97]).flat(),
    ]),
    'a label that is cut': Uint8Array.from([...sixteen(7, 256, 1, 0, 0, 0), 63, 97]),
    'a head that is cut': message('a.test').subarray(0, 11),
    'too much': message('a.test', {
      counts: [1, 0, 0, 1],
      more: [...edns, ...new Uint8Array(defaultLimits.dnsQueryBytesMax)],
    }),
  };
  for (const [what, octets] of Object.entries(refused)) assert.equal(readDnsQuery(octets), undefined, what);
});

test('what is refused says so, with the question and nothing else', () => {
  const query = message('a.test', { counts: [1, 0, 0, 1], more: edns });
  const question = readDnsQuery(query);
  assert.ok(question);
  const reply = refusedDns(query, question);
  assert.deepEqual(
    [...reply],
    [...sixteen(7, 0x8105, 1, 0, 0, 0), ...nameOctets('a.test'), ...sixteen(1, 1)],
  );
  assert.equal(readDnsResponse(reply), question.key);
});

test('queries about the names of the rule pass, and one response to each', () => {
  const gate = new DnsGate([
    [
      { kind: 'suffix', suffix: 'example.com' },
      { kind: 'exact', host: 'one.test', isAddress: false },
    ],
  ]);
  for (const name of ['www.example.com', 'ONE.test', 'a.b.example.com'])
    assert.equal(gate.query(message(name)).kind, 'passes', name);
  for (const name of ['example.org', 'example.com', 'two.one.test', 'secret.example.com.evil.test', '']) {
    const gated = gate.query(message(name));
    assert.equal(gated.kind, 'refused', name);
  }
  assert.equal(gate.query(Uint8Array.of(1, 2, 3)).kind, 'dropped');
  const response = message('www.example.com', { flags: 0x8180, counts: [1, 1, 0, 0], more: [1, 2, 3] });
  assert.equal(gate.response(message('www.example.com', { id: 8, flags: 0x8180 })), false);
  assert.equal(gate.response(message('WWW.example.com', { flags: 0x8180 })), false);
  assert.equal(gate.response(message('www.example.com')), false);
  assert.equal(gate.response(response), true);
  assert.equal(gate.response(response), false);
});

test('a name has to be one of each list', () => {
  const gate = new DnsGate([
    [{ kind: 'suffix', suffix: 'example.com' }],
    [{ kind: 'exact', host: 'www.example.com', isAddress: false }],
  ]);
  assert.equal(gate.query(message('www.example.com')).kind, 'passes');
  assert.equal(gate.query(message('other.example.com')).kind, 'refused');
});

test('of more queries than are kept, the oldest gets no response', () => {
  const gate = new DnsGate([[{ kind: 'any', withAddresses: false }]]);
  for (let id = 0; id <= defaultLimits.dnsQueriesOpenMax; id += 1) gate.query(message('a.test', { id }));
  assert.equal(gate.response(message('a.test', { id: 0, flags: 0x8180 })), false);
  assert.equal(gate.response(message('a.test', { id: 1, flags: 0x8180 })), true);
});

test('no octets make it throw, and what passes holds one name that the rule has', () => {
  const random = randomFrom(53);
  const good = message('www.example.com', { counts: [1, 0, 0, 1], more: edns });
  for (let i = 0; i < 20_000; i += 1) {
    const octets = good.slice(0, random(8) === 0 ? random(good.length) : good.length);
    for (let n = random(4); n > 0 && octets.length > 0; n -= 1) octets[random(octets.length)] = random(256);
    const gate = new DnsGate([[{ kind: 'suffix', suffix: 'example.com' }]]);
    if (gate.query(octets).kind === 'passes')
      assert.ok(Buffer.from(octets).toString('latin1').toLowerCase().includes('\u0007example\u0003com\0'));
    gate.response(octets);
  }
});

test('a refusal leaves the query as it came, also in a Buffer, whose slices share its octets', () => {
  const query = Buffer.from(message('www.example.org'));
  const before = query.toString('hex');
  const gated = new DnsGate([[{ kind: 'suffix', suffix: 'example.com' }]]).query(query);
  assert.equal(gated.kind, 'refused');
  assert.equal(query.toString('hex'), before);
});
