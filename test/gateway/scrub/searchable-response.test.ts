import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';

import { askSearchable, foreignCharset } from '../../../src/gateway/scrub/searchable-response.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { canary } from '../../support/canary.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const secret = canary('searched');
const wholeAndPlain = { decode: false, keepsRange: false };

/** What a client gets that asks, with a credential on its way, an origin that repeats it. */
async function askThrough(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  ...fields: readonly string[]
) {
  const origin = await httpsOrigin({ authority, handler });
  await using path = openRequestPath({
    policy: `rules: [{ name: a, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8, inject: api }]`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    credentials: { api: { kind: 'bearer', source: { env: 'S' } } },
    environment: { S: secret },
  });
  const at = `allowed.test:${origin.port}`;
  const response = await sendRaw(await path.tls(at), get(at, '/', ...fields));
  await origin.close();
  return response;
}

const repeated = (request: IncomingMessage): string => `you sent ${request.headers.authorization}`;

for (const field of ['Range', 'Request-Range', 'X-MS-Range', 'x-ms-range']) {
  test(`half a response is not had by ${field}`, async () => {
    const response = await askThrough((request, response) => {
      const asked = request.headers[field.toLowerCase()];
      // Cuts inside of the value, as an origin does that knows the field.
      response.end(asked === undefined ? repeated(request) : repeated(request).slice(0, -4));
    }, `${field}: bytes=0-30`);
    assert.match(response.body, /^you sent Bearer \*+$/);
  });
}

test('a response in a charset that the client names is not had', async () => {
  for (const field of ['Accept-Charset: utf-16', 'Accept: text/html, text/plain ; charset="UTF-16LE";q=1']) {
    const response = await askThrough((request, response) => {
      const { accept = '', 'accept-charset': charset = '' } = request.headers;
      const isWide = /utf-16/i.test(`${accept} ${String(charset)}`);
      response.end(Buffer.from(repeated(request), isWide ? 'utf16le' : 'utf8'));
    }, field);
    assert.match(response.body, /^you sent Bearer \*+$/, field);
  }
});

test('a response that says that it is in such a charset does not pass', async () => {
  const response = await askThrough((request, response) => {
    response.setHeader('content-type', 'text/plain; charset=UTF-16LE');
    response.end(Buffer.from(repeated(request), 'utf16le'));
  });
  assert.deepEqual([response.status, response.headers.get('x-deny-reason')], [502, 'origin_malformed']);
  assert.match(response.body, /in the charset "UTF-16LE"/);
  assert.equal(response.body.includes('\0'), false);
});

test('a field of the response whose name holds the value is left out, whatever its letters', async () => {
  const response = await askThrough((_request, response) => {
    response.setHeader(`X-${secret.toUpperCase()}`, 'here');
    response.setHeader('x-plain', 'there');
    response.end('done');
  });
  assert.equal(response.headers.get('x-plain'), 'there');
  assert.equal(response.head.toLowerCase().includes(secret.toLowerCase()), false);
});

test('charsets in which ASCII is ASCII stay', () => {
  for (const charset of ['utf-8', 'UTF8', '"utf-8"', 'iso-8859-15', 'windows-1252', 'GB18030', 'Shift_JIS'])
    assert.equal(foreignCharset(`text/html;charset=${charset}`), undefined, charset);
  for (const charset of ['utf-16', 'utf-16be', 'utf-32', 'utf-7', 'IBM037', 'cp1047', 'ucs-2', '""', ''])
    assert.notEqual(foreignCharset(`text/html; charset=${charset}`), undefined, charset);
  assert.equal(foreignCharset('text/html'), undefined);
  const accept = 'text/plain;charset=utf-16;q=0.5, application/json; charset=utf-8';
  const asked = askSearchable(new HeaderList([['Accept', accept]]), wholeAndPlain);
  assert.equal(asked.first('accept'), 'text/plain;q=0.5, application/json; charset=utf-8');
});

test('an origin that never repeats the value in ranges is asked for them', () => {
  const ranged = new HeaderList([['Range', 'bytes=0-9']]);
  assert.equal(askSearchable(ranged, wholeAndPlain).has('range'), false);
  assert.equal(askSearchable(ranged, { decode: true, keepsRange: true }).first('range'), 'bytes=0-9');
});
