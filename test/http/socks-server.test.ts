import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SocksServer, type SocksOutcome } from '../../src/http/socks-server.ts';
import { seeded } from '../support/seeded.ts';

const name = (text: string): number[] => [3, text.length, ...Buffer.from(text)];
const request = (address: readonly number[], command = 1, port = 443): number[] => [
  5,
  command,
  0,
  ...address,
  port >> 8,
  port & 255,
];
const asked = (octets: readonly number[]): { readonly reply: number[]; readonly outcome: SocksOutcome } => {
  const { reply, outcome } = new SocksServer(false).push(Uint8Array.from([5, 1, 0, ...octets]));
  return { reply: [...reply], outcome };
};

test('a name, an IPv4 and an IPv6 address are read as the authority that CONNECT would have', () => {
  for (const [address, host] of [
    [name('Origin.TEST'), 'origin.test'],
    [name('192.0.2.1'), '192.0.2.1'],
    [[1, 192, 0, 2, 1], '192.0.2.1'],
    [[4, 0x20, 1, 0x0d, 0xb8, ...Array.from({ length: 11 }, () => 0), 1], '2001:db8::1'],
  ] as const) {
    const { reply, outcome } = asked([...request(address), 0x16, 3]);
    assert.deepEqual(reply, [5, 0]);
    assert.equal(outcome.kind, 'connect');
    if (outcome.kind !== 'connect') continue;
    assert.deepEqual(outcome.authority, { host, port: 443 });
    assert.deepEqual([...outcome.rest], [0x16, 3]);
  }
});

test('what a resolver and a parser could read in two ways, and what is not CONNECT, is refused with its reply', () => {
  for (const [octets, code] of [
    [request(name('origin.test'), 2), 7],
    [request(name('origin.test'), 3), 7],
    [request([2, 1, 2, 3, 4]), 8],
    [request(name('a.test\0b.test')), 2],
    [request(name('a.test:80')), 2],
    [request(name('[2001:db8::1]')), 2],
    [request(name('::1')), 2],
    [request(name('user@a.test')), 2],
    [request(name('a..test')), 2],
    [request(name('')), 2],
    [request(name('a.test'), 1, 0), 2],
  ] as const) {
    const { reply, outcome } = asked(octets);
    assert.equal(outcome.kind, 'refused', octets.join(' '));
    assert.deepEqual(reply.slice(2, 4), [5, code], octets.join(' '));
  }
});

test('a server without log-in takes no password, one with it serves nobody without', () => {
  const open = new SocksServer(false).push(Uint8Array.of(5, 1, 2));
  assert.deepEqual([...open.reply], [5, 255]);
  const closed = new SocksServer(true).push(Uint8Array.of(5, 1, 0));
  assert.deepEqual([...closed.reply], [5, 255]);
  const server = new SocksServer(true);
  const step = server.push(Uint8Array.from([5, 2, 0, 2, 1, 1, 97, 2, 98, 99, ...request(name('a.test'))]));
  assert.deepEqual(step.outcome, { kind: 'login', name: 'a', password: 'bc' });
  assert.deepEqual([...step.reply], [5, 2]);
  const next = server.loggedIn(true);
  assert.equal(next.outcome.kind, 'connect');
  assert.deepEqual([...next.reply], [1, 0]);
});

test('octets come in any pieces, and random ones end nowhere but in a refusal (seed 22)', () => {
  const whole = Uint8Array.from([5, 1, 0, ...request(name('origin.test')), 1, 2, 3]);
  for (let cut = 1; cut < whole.length - 3; cut += 1) {
    const server = new SocksServer(false);
    assert.equal(server.push(whole.subarray(0, cut)).outcome.kind, 'incomplete');
    assert.equal(server.push(whole.subarray(cut)).outcome.kind, 'connect');
  }
  const random = seeded(22);
  const kinds = new Set<string>();
  for (let i = 0; i < 2000; i += 1) {
    const octets = Uint8Array.from({ length: 40 }, () => Math.floor(random() * 256));
    octets.set([5, 1, 0, 5, 1 + Math.floor(random() * 2), 0, 1 + Math.floor(random() * 4)]);
    kinds.add(new SocksServer(false).push(octets).outcome.kind);
  }
  assert.ok(kinds.has('refused') && kinds.has('connect') && !kinds.has('login'));
});
