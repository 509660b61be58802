// Fuzz target: the first bytes of a connection, as latin1 text. They give a verdict or a ProxyError, the same however
// they arrive, and names that can be printed. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { parseClientHello } from '../src/intercept/client-hello.ts';
import type { ClientHelloResult } from '../src/intercept/client-hello.ts';
import { classifyFirstBytes } from '../src/intercept/first-bytes.ts';
import { ProxyError } from '../src/protocol/error.ts';
import { defaultLimits } from '../src/protocol/limits.ts';
import {
  alpn,
  hello,
  helloMessage,
  octets,
  records,
  serverName,
  text,
  versions,
} from '../test/intercept/hello-bytes.ts';
import type { Extension } from '../test/intercept/hello-bytes.ts';
import { runTarget, type Random } from './run-target.ts';

const extensions: readonly Extension[] = [
  serverName(text('allowed.test')),
  serverName(text('ALLOWED.test.')),
  serverName(text('allowed.test'), text('evil.test')),
  serverName(octets(0x61, 0, 0x62)),
  alpn(text('h2'), text('http/1.1')),
  alpn(octets(0x0a, 0x0a)),
  versions(0x0304, 0x0303),
  [0xfe0d, octets(0, 1, 2)],
  [41, octets(0, 0)],
  [42, octets()],
  [0x1a1a, octets()],
];

function some(random: Random): Extension[] {
  return extensions.filter(() => random(3) === 0);
}

/** A hello of a random choice of extensions in random records, with some octets changed, cut or added. */
function generate(random: Random): string {
  const message = helloMessage({ extensions: some(random) });
  const bytes = [
    ...(random(3) === 0 ? records(message, 1 + random(message.length)) : hello({ extensions: some(random) })),
  ];
  for (let edits = random(4); edits > 0; edits--) {
    const at = random(bytes.length);
    if (random(3) === 0) bytes.splice(at, random(3), ...Array.from({ length: random(3) }, () => random(256)));
    else bytes[at] = random(2) === 0 ? random(256) : (bytes[at] ?? 0) ^ (1 << random(8));
  }
  if (random(4) === 0) bytes.length = random(bytes.length + 1);
  return Buffer.from(bytes).toString('latin1');
}

/** The refusal is a value here, so that two readings can be compared. */
function parse(bytes: Uint8Array): ClientHelloResult | string {
  try {
    return parseClientHello(bytes, defaultLimits);
  } catch (error) {
    if (error instanceof ProxyError && error.code === 'tls_handshake') return error.message;
    throw error;
  }
}

/** As a peek reads: no look before the bytes are there that the last one asked for. */
function parseByNeed(bytes: Uint8Array): ClientHelloResult | string {
  let length = 0;
  for (;;) {
    const result = parse(bytes.subarray(0, length));
    if (typeof result === 'string' || result.state === 'hello') return result;
    assert.ok(result.bytesNeeded > length, 'it asks for bytes that it has');
    if (result.bytesNeeded > bytes.length) return parse(bytes);
    length = result.bytesNeeded;
  }
}

function checkKinds(bytes: Uint8Array): void {
  let verdict = 'incomplete';
  for (let length = 0; length <= Math.min(bytes.length, 40); length++) {
    const now = classifyFirstBytes(bytes.subarray(0, length));
    if (verdict !== 'incomplete') assert.equal(now, verdict, 'more bytes change the verdict');
    verdict = now;
  }
  if (bytes.length >= 32) assert.notEqual(verdict, 'incomplete');
}

await runTarget({
  name: 'client-hello',
  generate,
  check(input) {
    const bytes = Buffer.from(input, 'latin1');
    checkKinds(bytes);
    const result = parse(bytes);
    assert.deepEqual(parseByNeed(bytes), result, 'the way it arrives changes the result');
    if (typeof result === 'string' || result.state !== 'hello') return false;
    assert.equal(classifyFirstBytes(bytes), 'tls');
    assert.match(result.sni ?? '', /^[\x21-\x7e]*$/);
    assert.doesNotMatch(result.sni ?? '', /[A-Z]/);
    for (const name of result.alpn) assert.match(name, /^[\x21-\x7e]+$/);
    // What stands behind a hello is not part of it.
    assert.deepEqual(parse(Buffer.concat([bytes, octets(1, 2, 3)])), result);
    return true;
  },
});
