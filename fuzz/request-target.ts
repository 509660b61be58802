// Fuzz target: request targets in origin-form. Canonical form is a fixed point, plain ASCII and without dot segments
// in any reading; the WHATWG URL parser reads the same path. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { pathFeatures, readingsFor, readPath } from '../src/http/path-reading.ts';
import { canonicalTarget, type CanonicalTarget } from '../src/http/request-target.ts';
import { ProxyError } from '../src/protocol/error.ts';
import { pieces, runTarget } from './run-target.ts';

const plain =
  '/ / / . .. %2e %2E %2f %2F %5c \\ ; %3b // a public admin %41 %7e % %zz %25 %252e %00 %c0%ae %C3%A9 %e2%82%ac ? # : @ { | + =';
const vocabulary = [...plain.split(' '), ' ', '\xc3\xa9'];

function canonical(target: string): CanonicalTarget | undefined {
  try {
    return canonicalTarget(target);
  } catch (error) {
    if (error instanceof ProxyError && error.code === 'request_malformed') return undefined;
    throw error;
  }
}

/** Only ASCII: the URL parser takes text, so a byte above 0x7F is not one character to it. */
function compareWithUrl(input: string, path: string): void {
  if (!/^[\x21-\x7e]+$/.test(input)) return;
  const url = new URL(`http://host.test${input}`);
  assert.equal(url.hostname, 'host.test');
  assert.equal(canonical(url.pathname)?.path, path, 'the URL parser reads another path');
}

await runTarget({
  name: 'request target',
  generate: (random) => `/${pieces(random, vocabulary, 10)}`,
  check(input) {
    const target = canonical(input);
    if (target === undefined) return false;
    assert.deepEqual(canonical(target.path + target.query), target, 'not a fixed point');
    assert.match(target.path, /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*$/);
    assert.match(target.query, /^(?:\?(?:[\x21\x22\x24\x26-\x7e]|%[0-9A-Fa-f]{2})*)?$/);
    assert.doesNotMatch(target.path, /(?:^|\/)\.\.?(?:\/|$)/);
    for (const reading of readingsFor(pathFeatures(target.path)))
      assert.doesNotMatch(
        readPath(target.path, reading),
        /(?:^|\/)\.\.?(?:\/|$)|%5C|%[01]|%7F/,
        'in a reading',
      );
    compareWithUrl(input, target.path);
    return true;
  },
});
