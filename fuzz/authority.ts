// Fuzz target: text as CONNECT, Host and :authority bring it. What is accepted, the WHATWG URL parser accepts too,
// and both name the same host and port. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { formatAuthority, parseAuthority } from '../src/http/authority.ts';
import type { Authority } from '../src/http/destination.ts';
import { ProxyError } from '../src/protocol/error.ts';
import { pick, pieces, runTarget, type Random } from './run-target.ts';

const plain =
  'allowed EVIL test . . . : :443 :80 :0443 :65536 @ %2e %00 [ ] :: ::1 ffff 127 0 1 255 0x7f 010 2130706433 127.0.0.1 1.2.3.4 - _ xn-- xn--bcher-kva / \\ # ? , *';
const vocabulary = [...plain.split(' '), 'é', '。', '\0', '\r\n', ' ', 'a'.repeat(64), 'b.'.repeat(60)];
const valid = [
  'allowed.test:443',
  'A.b-c.Test.',
  '[2001:db8::1]:80',
  '[::ffff:10.0.0.1]',
  '203.0.113.7:8443',
  '_x.y.test:1',
];

/** Noise, or something valid with a piece of noise in it. */
function generate(random: Random): string {
  if (random(3) === 0) return pieces(random, vocabulary, 9);
  const text = pick(random, valid);
  const at = random(text.length + 1);
  return text.slice(0, at) + pieces(random, vocabulary, 1) + text.slice(at + random(2));
}

function parse(text: string): Authority | undefined {
  try {
    return parseAuthority(text, { defaultPort: 80 });
  } catch (error) {
    if (error instanceof ProxyError && error.code === 'authority_malformed') return undefined;
    throw error;
  }
}

function compareWithUrl(text: string, authority: Authority): void {
  const url = URL.parse(`http://${text}/`);
  if (url === null) {
    // Whether an A-label decodes is not checked here: nothing decodes it.
    assert.match(text, /xn--/i, 'the URL parser refuses it');
    return;
  }
  assert.equal(url.username + url.password + url.search + url.hash, '');
  assert.equal(url.pathname, '/');
  const port = url.port === '' ? ':80' : `:${url.port}`;
  assert.deepEqual(parse(url.hostname + port), authority);
}

await runTarget({
  name: 'authority',
  generate,
  check(input) {
    const authority = parse(input);
    if (authority === undefined) return false;
    const text = formatAuthority(authority);
    assert.deepEqual(parse(text), authority, 'formatting and parsing changes it');
    assert.match(authority.host, /^[a-z0-9._:-]{1,253}$/);
    assert.ok(authority.port >= 1 && authority.port <= 65_535);
    assert.doesNotMatch(authority.host, /\.$|^\.|\.\./);
    compareWithUrl(input, authority);
    return true;
  },
});
