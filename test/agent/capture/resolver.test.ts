import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakeAddresses } from '../../../src/agent/capture/fake-addresses.ts';
import { answerDns } from '../../../src/agent/capture/resolver.ts';
import { dnsQuery, readDnsAnswer, type DnsAnswer } from './support/dns-client.ts';

const type = {
  A: 1,
  NS: 2,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  SVCB: 64,
  HTTPS: 65,
  ANY: 255,
};

function ask(addresses: FakeAddresses, name: string, of: number, dnsClass = 1): DnsAnswer {
  const query = dnsQuery(name, of, { class: dnsClass });
  return readDnsAnswer(answerDns(query, addresses), query);
}

const open = (): FakeAddresses => new FakeAddresses({ namesMax: 4 });
const empty = { code: 0, data: [] };

test('A and ANY of every name are answered with the address that stands for it', () => {
  const addresses = open();
  assert.deepEqual(ask(addresses, 'api.test', type.A), { code: 0, data: ['198.18.1.0'] });
  assert.deepEqual(ask(addresses, 'API.Test', type.ANY), { code: 0, data: ['198.18.1.0'] });
  assert.deepEqual(ask(addresses, '_x.other.test', type.A), { code: 0, data: ['198.18.1.1'] });
});

test('every other type is empty, so that no client goes another way', () => {
  const addresses = open();
  for (const name of ['AAAA', 'HTTPS', 'SVCB', 'MX', 'TXT', 'SRV', 'NS', 'SOA'] as const)
    assert.deepEqual(ask(addresses, 'api.test', type[name]), empty, name);
  assert.equal(addresses.size, 0, 'these questions take no address');
});

test('localhost is loopback in both families', () => {
  const addresses = open();
  assert.deepEqual(ask(addresses, 'localhost', type.A), { code: 0, data: ['127.0.0.1'] });
  assert.deepEqual(ask(addresses, 'db.localhost', type.AAAA), { code: 0, data: [`${'00'.repeat(15)}01`] });
  assert.deepEqual(ask(addresses, 'localhost', type.HTTPS), empty);
});

test('an address that stands for a name leads back to it, and no other does', () => {
  const addresses = open();
  ask(addresses, 'api.test', type.A);
  const found = ask(addresses, '0.1.18.198.in-addr.arpa', type.PTR);
  assert.deepEqual(found, { code: 0, data: ['036170690474657374 00'.replace(' ', '')] });
  for (const name of [
    '1.1.18.198.in-addr.arpa',
    '8.8.8.8.in-addr.arpa',
    '1.0.ip6.arpa',
    '256.0.0.1.in-addr.arpa',
  ])
    assert.deepEqual(ask(addresses, name, type.PTR), { code: 3, data: [] }, name);
});

test('what is no name of an origin is refused or is not there', () => {
  const addresses = open();
  for (const name of ['1.2.3.4', 'a b.test', 'b\xfccher.test', 'a@b.test', 'a:80.test', '']) {
    const { code } = ask(addresses, name, type.A);
    assert.equal(code, 5, name);
  }
  assert.equal(ask(addresses, 'single', type.A).code, 3);
  assert.equal(ask(addresses, 'version.bind', type.TXT, 3).code, 5);
  assert.equal(addresses.size, 0);
});

test('a flood of names keeps the map bounded; with every address in use the answer is a failure', () => {
  const addresses = open();
  for (let index = 0; index < 1000; index++) ask(addresses, `n${index}.test`, type.A);
  assert.equal(addresses.size, 4);
  for (let index = 996; index < 1000; index++) {
    const [address = ''] = ask(addresses, `n${index}.test`, type.A).data;
    addresses.hold(address);
  }
  assert.equal(ask(addresses, 'one-more.test', type.A).code, 2);
});

test('an answer is never answered', () => {
  const query = dnsQuery('api.test', type.A);
  query.writeUInt8(0x81, 2);
  assert.equal(answerDns(query, open()), undefined);
});
