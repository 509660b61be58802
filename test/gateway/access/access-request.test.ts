import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeAsked, parseAccessRequest } from '../../../src/gateway/access/access-request.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const reason = 'the build needs it';
const parse = (value: unknown) =>
  parseAccessRequest(typeof value === 'string' ? value : JSON.stringify(value), defaultLimits);

const good: readonly [body: Record<string, unknown>, asked: string][] = [
  [
    { url: 'https://API.example.com/v1/a%2e/../b?key=1#part', method: 'get' },
    'GET https://api.example.com/v1/b',
  ],
  [{ url: 'http://example.com' }, '* http://example.com/'],
  [{ url: 'https://example.com:8443/x', method: 'POST' }, 'POST https://example.com:8443/x'],
  [{ url: 'https://example.com/@scope%2fname', method: 'GET' }, 'GET https://example.com/@scope%2Fname'],
  [{ host: 'Example.com.' }, '* https://example.com/*'],
  [{ host: 'example.com:8443', method: 'PUT' }, 'PUT https://example.com:8443/*'],
  [{ url: 'https://[2001:DB8::1]/' }, '* https://[2001:db8::1]/'],
];

test('what is asked for is held in canonical form, without query and fragment', () => {
  for (const [body, asked] of good) assert.equal(describeAsked(parse({ ...body, reason })), asked);
  const trace = '0af7651916cd43dd8448eb211c80319c';
  assert.equal(parse({ host: 'example.com', reason, trace }).traceId, trace);
});

const bad: readonly [body: unknown, message: RegExp][] = [
  ['', /is not JSON; write \{"url"/],
  ['[]', /the body is not as expected/],
  [{ url: 'https://example.com/' }, /reason is not as expected/],
  [{ url: 'https://example.com/', reason: 'x'.repeat(1001) }, /longer than 1000 characters/],
  [{ reason }, /exactly one of url and host/],
  [{ url: 'https://example.com/', host: 'example.com', reason }, /exactly one of url and host/],
  [{ url: 'ftp://example.com/', reason }, /scheme/],
  [{ url: 'example.com/x', reason }, /not an http or https URL/],
  [{ url: 'https://user:secret@example.com/', reason }, /user information/],
  [{ url: 'https://example.com/a/..%2f/b', reason }, /is refused/],
  [{ host: 'localhost', reason }, /single label/],
  [{ host: 'upstreamproxy.invalid', reason }, /open to you already/],
  [{ host: 'example.com', method: 'CONNECT', reason }, /never forwarded/],
  [{ host: 'example.com', method: 'GET /', reason }, /method is not as expected/],
  [{ host: 'example.com', reason, trace: 'x' }, /trace is not as expected/],
  [{ host: 'example.com', reason, credential: 'github' }, /not as expected/],
];

test('a body that cannot be taken is refused with what to write', () => {
  for (const [body, message] of bad) assert.throws(() => parse(body), { name: 'ProxyError', message });
});
