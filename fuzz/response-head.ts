// Fuzz target: heads of an origin as a parser hands them on, and what it says about WebSocket. What comes out can go to a client
// as it is, and read again it is the same. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { validateResponse, type ResponseInput } from '../src/http/response-validation.ts';
import { agreesCompression, offeredExtensions } from '../src/http/websocket-extensions.ts';
import { ProxyError } from '../src/protocol/error.ts';
import { pick, pieces, runTarget, type Random } from './run-target.ts';

const statuses = ['200', '204', '304', '101', '103', '404', '599', '99', '600', '0', '1e2', 'NaN', '-200'];
const methods = ['GET', 'HEAD', 'POST'];
const framing = [
  'Content-Length',
  'content-length',
  'Transfer-Encoding',
  'Connection',
  'Upgrade',
  'Trailer',
  'TE',
];
const others = ['Content-Type', 'Set-Cookie', 'Alt-Svc', 'Location', 'X-A', 'X A', '', 'X\0', 'Keep-Alive'];
const extensionNames = ['Sec-WebSocket-Extensions', 'Sec-WebSocket-Accept'];
const values = [
  'x',
  '5',
  '5, 5',
  '5, 6',
  '+5',
  '05',
  '18446744073709551616',
  'chunked',
  'gzip, chunked',
  'close, x-a',
  'websocket',
  'h2c',
  'permessage-deflate',
  'permessage-deflate; server_max_window_bits=9',
  'permessage-deflate; client_max_window_bits="15"; server_no_context_takeover',
  'x-other',
  'a\r\nb',
  'caf\xe9',
  '',
];

/** Lines of a status, a method, and a name and a value each. */
function generate(random: Random): string {
  const lines = [pick(random, random(4) === 0 ? statuses : ['200', '101']), pick(random, methods)];
  for (let count = random(6); count > 0; count--) {
    const names = pick(random, ['framing', 'others', 'extension']);
    const name = pick(random, names === 'framing' ? framing : names === 'others' ? others : extensionNames);
    lines.push(name, random(6) === 0 ? pieces(random, values, 4).replaceAll('\t', '') : pick(random, values));
  }
  return lines.join('\t');
}

function refusedOr<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof ProxyError && error.code === 'origin_malformed') return undefined;
    throw error;
  }
}

function checkExtensions(given: readonly string[]): void {
  const offered = offeredExtensions(given);
  if (offered === undefined) return;
  assert.equal(offeredExtensions([offered]), offered, 'offered again, it is another offer');
  for (const member of offered.split(', '))
    assert.equal(agreesCompression([member]), true, 'what may be offered may be agreed to');
}

await runTarget({
  name: 'response head',
  generate,
  check(input) {
    const [status = '', requestMethod = '', ...rawHeaders] = input.split('\t');
    if (rawHeaders.length % 2 === 1) rawHeaders.pop();
    const fields = rawHeaders.filter((_, i) => i % 2 === 1);
    checkExtensions(fields);
    refusedOr(() => agreesCompression(fields));
    const common: Omit<ResponseInput, 'rawHeaders'> = {
      status: Number(status),
      requestMethod,
      upgrade: 'websocket',
    };
    const head = refusedOr(() => validateResponse({ ...common, rawHeaders }));
    if (head === undefined) return false;
    for (const [name, value] of head.headers) {
      assert.match(name, /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
      assert.match(value, /^[\t\x20-\x7e\x80-\xff]*$/);
      assert.doesNotMatch(name, /^(?:connection|keep-alive|transfer-encoding|upgrade|te|alt-svc|proxy-.*)$/i);
    }
    const lengths = head.headers.all('content-length');
    assert.ok(lengths.length <= 1 && lengths.every((length) => /^\d+$/.test(length)));
    if (head.status === 101) return true;
    const again = validateResponse({ ...common, rawHeaders: head.headers.toRaw() });
    assert.deepEqual(again.headers.toRaw(), head.headers.toRaw(), 'read again, it is another response');
    return true;
  },
});
