import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  networkContains,
  type Network,
  parseAddress,
  parseNetwork,
  refusedNetwork,
} from '../../src/policy/network.ts';

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (typeof parsed === 'string') assert.fail(parsed);
  return parsed;
}

describe('a network is read into canonical CIDR', () => {
  const rows: readonly [string, string][] = [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['FD00:0:0::/16', 'fd00::/16'],
    ['::1', '::1/128'],
  ];
  for (const [text, expected] of rows) test(text, () => assert.equal(network(text).text, expected));
});

test('what is none is refused', () => {
  for (const text of [
    '',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '10.0.0.0/-1',
    'fd00::/129',
    '10.0.0.1/31',
    'x/8',
  ]) {
    assert.equal(typeof parseNetwork(text), 'string', text);
  }
});

describe('an address is in a network or not', () => {
  const rows: readonly [string, string, boolean][] = [
    ['10.0.0.0/8', '10.255.1.2', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['172.16.0.0/12', '172.31.255.255', true],
    ['172.16.0.0/12', '172.32.0.0', false],
    ['192.168.1.4/30', '192.168.1.7', true],
    ['192.168.1.4/30', '192.168.1.8', false],
    ['fc00::/7', 'fdff::1', true],
    ['fc00::/7', 'fe00::1', false],
    ['10.0.0.0/8', '::ffff:10.0.0.1', false],
  ];
  for (const [cidr, address, expected] of rows) {
    test(`${address} ${expected ? 'is' : 'is not'} in ${cidr}`, () => {
      assert.equal(networkContains(network(cidr), parseAddress(address)!), expected);
    });
  }
});

describe('a rule may open private space and nothing else', () => {
  const rows: readonly [string, boolean][] = [
    ['10.0.0.0/8', true],
    ['10.2.0.0/16', true],
    ['127.0.0.1', true],
    ['100.64.0.0/10', true],
    ['fd12:3456::/32', true],
    ['0.0.0.0/0', false],
    ['8.0.0.0/7', false],
    ['169.254.0.0/16', false],
    ['169.254.169.254', false],
    ['fd00:ec2::254', false],
    ['100.100.100.200', false],
    ['::/0', false],
    ['224.0.0.0/4', false],
    ['192.0.2.0/24', false],
  ];
  for (const [text, allowed] of rows) {
    test(`${text} ${allowed ? 'may' : 'may not'} be opened`, () => {
      assert.equal(refusedNetwork(network(text)) === undefined, allowed);
    });
  }
});

test('what docs/reference/address-guard.md says that a rule can open is what a rule can open', () => {
  const text = readFileSync(new URL('../../docs/reference/address-guard.md', import.meta.url), 'utf8');
  const rows = [
    ...text.matchAll(
      /^\| (private|loopback|link-local|reserved|metadata|unspecified|multicast, broadcast) \|(.*)\|(.*)\|(.*)\|$/gm,
    ),
  ];
  assert.equal(rows.length, 7);
  const verdicts = rows.flatMap(([, name = '', ipv4 = '', ipv6 = '', column = '']) => {
    const [word = '', exceptions = ''] = column.split(', except for');
    const networks = `${ipv4},${ipv6}`.match(/[0-9a-f]*[.:][0-9a-f.:]*(?:\/[0-9]+)?/g) ?? [];
    return networks.map((network) => {
      const parsed = parseNetwork(network);
      assert.ok(typeof parsed !== 'string', `${network}: ${String(parsed)}`);
      const said = word.trim() === 'yes' && !exceptions.includes(network);
      return { name, network, said, is: refusedNetwork(parsed) === undefined };
    });
  });
  assert.ok(verdicts.length > 25, `only ${verdicts.length} networks`);
  assert.deepEqual(
    verdicts.filter(({ said, is }) => said !== is),
    [],
  );
});
