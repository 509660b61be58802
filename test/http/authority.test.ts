import assert from 'node:assert/strict';
import test from 'node:test';

import { formatAuthority, hostField, isAddressLiteral, parseAuthority } from '../../src/http/authority.ts';

function refused(text: string, reason?: RegExp): void {
  const expected =
    reason === undefined ? { code: 'authority_malformed' } : { code: 'authority_malformed', message: reason };
  assert.throws(() => parseAuthority(text), expected, text);
}

test('letter case and one trailing dot do not make another host', () => {
  for (const text of ['evil.test:443', 'EVIL.TEST.:443', 'eViL.tEsT:443', 'evil.test.:443']) {
    assert.deepEqual(parseAuthority(text), { host: 'evil.test', port: 443 });
  }
});

test('the port has to be there unless a default is given', () => {
  refused('allowed.test', /port is missing/);
  assert.deepEqual(parseAuthority('allowed.test', { defaultPort: 443 }), { host: 'allowed.test', port: 443 });
  assert.deepEqual(parseAuthority('allowed.test:80', { defaultPort: 443 }), {
    host: 'allowed.test',
    port: 80,
  });
  assert.throws(() => parseAuthority('allowed.test:', { defaultPort: 443 }), { code: 'authority_malformed' });
});

test('a port is a plain decimal number from 1 to 65535', () => {
  const ports = [
    '',
    '0',
    '0443',
    '+443',
    '-1',
    '65536',
    '65979',
    '99999',
    '0x1bb',
    '443%20',
    '443 ',
    '44３',
    '4_4',
    '443/',
  ];
  for (const port of ports) refused(`allowed.test:${port}`);
  refused('allowed.test:443:80', /more than one colon/);
  assert.equal(parseAuthority('allowed.test:65535').port, 65_535);
});

test('empty labels, too long labels and stray hyphens are refused', () => {
  for (const host of ['allowed.test..', 'a..allowed.test', '.allowed.test', '..', '.', '-a.test', 'a-.test'])
    refused(`${host}:443`);
  refused(`${'a'.repeat(64)}.test:443`, /63/);
  refused(`${'a.'.repeat(127)}test:443`, /253|longer/);
  assert.equal(parseAuthority(`${'a'.repeat(63)}.test:1`).host.length, 68);
  assert.equal(parseAuthority('_service.a-b.test:1').host, '_service.a-b.test');
});

test('user information, paths, fragments, lists and backslashes are refused', () => {
  refused('allowed.test@evil.test:443', /user information/);
  refused('allowed.test:443@evil.test:443', /user information/);
  for (const tail of [
    '#@allowed.test',
    '/evil.test',
    '?x',
    ',allowed.test:443',
    '\\evil.test',
    '*',
    '"',
    "'",
    '(',
    '|',
  ]) {
    refused(`evil.test${tail}:443`);
  }
  refused('/etc');
  refused('*.allowed.test:443');
});

test('nothing in a host is decoded', () => {
  for (const host of ['%61llowed.test', 'evil%2etest', 'allowed.test%00', '[fe80::1%25eth0]'])
    refused(`${host}:443`, /percent/);
  refused('allowed.test:443%0d%0aX-Tenant:%20b', /percent/);
});

test('white space, controls and NUL are refused wherever they stand', () => {
  for (const text of [' a.test:1', 'a.test :1', 'a.test\t:1', 'a.test\0:1', 'a.test:1\r\n', 'a\x7f.test:1'])
    refused(text, /white space/);
});

test('a name beyond ASCII is told to come as an A-label', () => {
  for (const host of ['bücher.example.com', 'evil。test', 'ａllowed.test', '😀.test', 'allowed.test\u200b'])
    refused(`${host}:443`, /A-label/);
  assert.equal(parseAuthority('XN--Bcher-kva.example.com:443').host, 'xn--bcher-kva.example.com');
});

test('brackets hold an IPv6 address and nothing else', () => {
  for (const text of [
    '[evil.test]',
    '[127.0.0.1]',
    '[]',
    '[::1',
    '::1]',
    '[[::1]]',
    '[::1]x',
    'a[::1]',
    '[v1.x]',
    '[::1] ',
  ])
    refused(`${text}:443`);
  refused('::1:443', /brackets/);
  assert.deepEqual(parseAuthority('[2001:DB8::0:1]:443'), { host: '2001:db8::1', port: 443 });
});

test('every spelling of an IPv6 address gives one host, and IPv4 inside stays visible', () => {
  for (const text of ['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '0:0:0:0:0:FFFF:A9FE:A9FE']) {
    assert.equal(parseAuthority(`[${text}]:80`).host, '::ffff:169.254.169.254');
  }
});

test('numbers that some resolver would take for an IPv4 address are refused', () => {
  const numbers = [
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '0',
    '0xa9fea9fe',
    '010.0.0.1',
    '1.2.3.4.5',
    '1.2.3.256',
    '127.0.0.0x1',
  ];
  for (const host of [...numbers, 'a.b.1', 'x.0x', '1.2.3.4.0xg.5']) refused(`${host}:80`);
  assert.deepEqual(parseAuthority('127.0.0.1:80'), { host: '127.0.0.1', port: 80 });
  assert.equal(parseAuthority('1.2.3.4.example.com:80').host, '1.2.3.4.example.com');
});

test('a single label is refused, since search lists would complete it', () => {
  for (const host of ['localhost', 'instance-data', 'redis', 'localhost.', 'com'])
    refused(`${host}:80`, /single label/);
});

test('a refusal quotes the text without its control characters', () => {
  assert.throws(
    () => parseAuthority('a\r\nb.test:1'),
    (error: Error) => !/[\r\n]/.test(error.message) && error.message.includes('a\\u000d'),
  );
});

test('formatting is the inverse of parsing', () => {
  for (const text of ['example.com:443', '192.0.2.1:80', '[2001:db8::1]:8443', '[::ffff:10.0.0.1]:1']) {
    assert.equal(formatAuthority(parseAuthority(text)), text);
  }
});

test('the Host field leaves out the default port of the scheme', () => {
  assert.equal(hostField({ scheme: 'https', host: 'example.com', port: 443 }), 'example.com');
  assert.equal(hostField({ scheme: 'http', host: 'example.com', port: 443 }), 'example.com:443');
  assert.equal(hostField({ scheme: 'http', host: '2001:db8::1', port: 80 }), '[2001:db8::1]');
  assert.equal(hostField({ scheme: 'https', host: '2001:db8::1', port: 8443 }), '[2001:db8::1]:8443');
});

test('address literals are told from names', () => {
  assert.equal(isAddressLiteral('192.0.2.1'), 4);
  assert.equal(isAddressLiteral('2001:db8::1'), 6);
  assert.equal(isAddressLiteral('a.test'), 0);
  assert.equal(isAddressLiteral('127.1'), 0);
});
