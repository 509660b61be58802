import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readCase, textOf } from './case-format.ts';
import { exclusionOf } from './case-selection.ts';

const context = { variables: { HTTPPORT: '81', HTTP: 'x' }, features: new Set(['brotli']) };
const caseOf = (client: string, reply = ''): string =>
  `<testcase>\n<reply>\n${reply}</reply>\n<client>\n${client}</client>\n</testcase>\n`;

test('conditions, variables and encoded octets of a case are resolved', () => {
  const source = caseOf(
    '<command>\n%if brotli\nhttp://h:%HTTPPORT/\n%else\nno\n%endif\n%if !brotli\nno\n%endif\n</command>\n',
    '<data>\n%hex[a%0d%0ab]hex% %repeat[3 x %41]% %b64[%HTTPPORT]b64% %UNKNOWN\n</data>\n',
  );
  const read = readCase(source, context);
  assert.equal(textOf(read.get('client/command')), 'http://h:81/\n');
  assert.equal(textOf(read.get('reply/data')), 'a\r\nb AAA ODE= %UNKNOWN\n');
});

test('attributes of a part change its text', () => {
  const part = (attributes: string, text: string): string =>
    textOf(readCase(caseOf('', `<data ${attributes}>\n${text}</data>\n`), context).get('reply/data'));
  assert.equal(part('nonewline="yes"', 'a\nb\n'), 'a\nb');
  assert.equal(part('hex="yes"', '61 0a\n62\n'), 'a\nb');
  assert.equal(
    part('crlf="yes"', 'HTTP/1.1 200 OK\nA: b\n\nbody: no\nc\n'),
    'HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody: no\r\nc\n',
  );
});

test('a case is kept out by what it says', () => {
  const http = '<server>\nhttp\n</server>\n';
  const rule = (client: string): string | undefined =>
    exclusionOf(readCase(caseOf(client), context), context.features);
  assert.equal(rule(`${http}<command>\nhttp://h/\n</command>\n`), undefined);
  for (const [client, pattern] of [
    ['<server>\nftp\n</server>\n<command>\nftp://h/\n</command>\n', /server/],
    [`${http}<command>\n-x http://p/ http://h/\n</command>\n`, /proxy of its own/],
    [`${http}<features>\nDebug\n</features>\n<command>\nhttp://h/\n</command>\n`, /feature/],
    [`${http}<features>\n!brotli\n</features>\n<command>\nhttp://h/\n</command>\n`, /feature/],
    [`${http}<tool>\nlib500\n</tool>\n<command>\nhttp://h/\n</command>\n`, /program of its own/],
  ] as const)
    assert.match(rule(client) ?? '', pattern);
});
