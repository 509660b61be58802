// Fuzz target: the first head of a proxy client, and whole requests behind a parser. What comes out can be written
// on a wire and read again as the same request. Options as in run-target.ts.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';

import { hostField } from '../src/http/authority.ts';
import type { Destination } from '../src/http/destination.ts';
import { parseProxyHead, type ProxyHead } from '../src/http/proxy-head.ts';
import { validateRequest, type ValidatedRequest } from '../src/http/request-validation.ts';
import { ProxyError } from '../src/protocol/error.ts';
import { defaultLimits as limits } from '../src/protocol/limits.ts';
import { pick, pieces, runTarget, type Random } from './run-target.ts';

const destination: Destination = { scheme: 'https', host: 'allowed.test', port: 443 };
const methods = ['GET', 'POST', 'CONNECT', 'TRACE', 'OPTIONS', 'get', 'M-SEARCH'];
const targets = [
  '/',
  '/a/%2e%2e/b?c',
  '*',
  'https://allowed.test/x',
  'http://evil.test/',
  'allowed.test:443',
  '/\xe9',
  '/a b',
  '//x',
];
const versions = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'http/1.1'];
const hosts = ['allowed.test', 'allowed.test', 'ALLOWED.test:443', 'evil.test', 'allowed.test@evil.test', ''];
const names = [
  'Accept',
  'Connection',
  'Content-Length',
  'content-length',
  'Transfer-Encoding',
  'Upgrade',
  'TE',
  'Expect',
  'Host',
];
const moreNames = [
  'Authorization',
  'Proxy-Authorization',
  'X-Forwarded-Host',
  'Cookie',
  'X-A',
  'X_A',
  'X A',
  '',
  'Trailer',
];
const values = [
  'x',
  'close',
  'close, x-a',
  'chunked',
  '5',
  '0',
  '5, 5',
  'trailers',
  '100-continue',
  'websocket',
  'h2c',
  'a\tb',
  'caf\xe9',
  '',
];
const lineEnds = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\n '];

function generate(random: Random): string {
  let head = `${pick(random, methods)} ${pick(random, targets)} ${pick(random, versions)}${pick(random, lineEnds)}`;
  if (random(10) > 0) head += `Host: ${pick(random, hosts)}\r\n`;
  for (let count = random(5); count > 0; count--) {
    const value = random(8) === 0 ? pieces(random, values, 4) : pick(random, values);
    head += `${pick(random, random(2) === 0 ? names : moreNames)}: ${value}${pick(random, lineEnds)}`;
  }
  return `${random(20) === 0 ? pieces(random, values, 3) : ''}${head}\r\n`;
}

/** Undefined for a refusal by one of the codes that heads have. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    const codes = [
      'request_malformed',
      'authority_malformed',
      'authority_mismatch',
      'method_refused',
      'head_too_large',
      'expectation_failed',
      'upgrade_required',
    ];
    if (error instanceof ProxyError && codes.includes(error.code)) return undefined;
    throw error;
  }
}

/** However the bytes arrive, the response is the same, and a refusal stays one. */
function checkPrefixes(bytes: Uint8Array): void {
  const whole = attempt(() => parseProxyHead(bytes, limits));
  for (let length = 1; length < bytes.length; length += 7) {
    const part: ProxyHead | undefined = attempt(() => parseProxyHead(bytes.subarray(0, length), limits));
    if (part?.state !== 'incomplete') assert.deepEqual(whole, part, `after ${length} bytes`);
  }
}

function validate(
  method: string,
  target: string,
  rawHeaders: readonly string[],
  version: string,
): ValidatedRequest | undefined {
  const httpVersion = version === 'HTTP/1.0' ? '1.0' : '1.1';
  return attempt(() => validateRequest({ method, target, rawHeaders, httpVersion, destination, limits }));
}

function checkRequest({ head, framing }: ValidatedRequest): void {
  const fields = [...head.headers];
  for (const [name, value] of fields) {
    assert.match(name, /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
    assert.match(value, /^[\t\x20-\x7e\x80-\xff]*$/);
    assert.doesNotMatch(
      name,
      /^(?:host|connection|te|trailer|transfer-encoding|content-length|upgrade|expect|proxy-.*|x-forwarded-.*)$/i,
    );
  }
  const rawHeaders = ['Host', hostField(head.destination), ...head.headers.toRaw()];
  if (framing.kind === 'length') rawHeaders.push('Content-Length', String(framing.length));
  if (framing.kind === 'chunked') rawHeaders.push('Transfer-Encoding', 'chunked');
  const again = validate(head.method, head.path + head.query, rawHeaders, 'HTTP/1.1');
  assert.deepEqual(
    { ...again?.head, httpVersion: '' },
    { ...head, httpVersion: '' },
    'read again, it is another request',
  );
  assert.deepEqual(again?.framing, framing);
}

await runTarget({
  name: 'request head',
  generate,
  check(input) {
    checkPrefixes(Buffer.from(input, 'latin1'));
    const [line = '', ...lines] = input.split('\r\n').filter((one) => one !== '');
    const [method = '', target = '', version = ''] = line.split(' ');
    const rawHeaders = lines.flatMap((one) => {
      const colon = one.indexOf(': ');
      return colon === -1 ? [one, ''] : [one.slice(0, colon), one.slice(colon + 2)];
    });
    const request = validate(method, target, rawHeaders, version);
    if (request === undefined) return false;
    checkRequest(request);
    return true;
  },
});
