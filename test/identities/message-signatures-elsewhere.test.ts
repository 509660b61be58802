// Signatures of kind `http-signature` on generated requests, verified by a library of somebody else: http-message-signatures, which comes from
// npm for `npm run test:identities`. Each is verified, and one over a request that was changed is not.

import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';

import { credentialOf, sentWith } from '../gateway/credentials/support/signed-request.ts';

/** What the test uses of the library. */
interface Library {
  readonly httpbis: {
    verifyMessage(
      config: { readonly keyLookup: () => Promise<object> },
      message: { readonly method: string; readonly url: string; readonly headers: Record<string, string> },
    ): Promise<boolean | null>;
  };
  createVerifier(key: KeyObject | string, algorithm: string): unknown;
}

const library = join(
  process.env['TEST_IDENTITY_TOOLS'] ?? '/nowhere',
  'node_modules/http-message-signatures/lib/index.js',
);
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const keys = {
  ed25519: generateKeyPairSync('ed25519').privateKey,
  'ecdsa-p256-sha256': generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  'rsa-pss-sha512': generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  'hmac-sha256': 'a-shared-key-of-both-sides-0123456789',
} as const;

const generated = fc.record({
  algorithm: fc.constantFrom(...(Object.keys(keys) as (keyof typeof keys)[])),
  components: fc.uniqueArray(
    fc.constantFrom(
      '@method',
      '@target-uri',
      '@authority',
      '@scheme',
      '@request-target',
      '@path',
      '@query',
      '@query-param;name="p"',
      'x-what',
      'content-digest',
      'date',
    ),
    { minLength: 1, maxLength: 8 },
  ),
  method: fc.constantFrom('GET', 'POST', 'DELETE', 'PROPFIND'),
  // Canonical, as the gateway has it by then.
  path: fc.stringMatching(/^\/[a-z][A-Za-z0-9._~-]{0,6}(\/[a-z](%2F|%C3%A4|[a-z0-9])?)?$/),
  query: fc.stringMatching(/^[A-Za-z0-9&=._~-]{0,12}$/),
  parameter: fc.stringMatching(/^([A-Za-z0-9*._ -]|%C3%A4|%2F|\+|%20){0,6}$/),
  what: fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,12}[\x21-\x7e])?$/),
  body: fc.string({ maxLength: 40 }),
  expires: fc.option(fc.integer({ min: 1, max: 3600 }), { nil: undefined }),
  nonce: fc.boolean(),
  tag: fc.option(fc.stringMatching(/^[\x20-\x7e]{1,12}$/), { nil: undefined }),
});

test(
  'what is signed here verifies there, and a changed request does not',
  {
    skip: existsSync(library) ? false : 'npm run test:identities fetches the library',
  },
  async () => {
    const { httpbis, createVerifier } = (await import(pathToFileURL(library).href)) as Library;
    let verified = 0;
    await fc.assert(
      fc.asyncProperty(generated, async (one) => {
        const { algorithm, components, method, path, body, nonce, tag, expires } = one;
        const key = keys[algorithm];
        const credential = credentialOf({
          kind: 'http-signature',
          algorithm,
          keyId: 'k"\\1',
          components,
          nonce,
          ...(tag === undefined ? {} : { tag }),
          ...(expires === undefined ? {} : { expiresSeconds: expires }),
        });
        // A name that stands twice is refused where it is covered.
        const query = one.query.replaceAll('p', 'q');
        const line = `${method} ${path}?${query}&p=${one.parameter.replaceAll(' ', '+')}`;
        const { head, target } = await sentWith(credential, typeof key === 'string' ? key : pemOf(key), {
          line,
          fields: [['X-What', one.what]],
          body,
        });
        const publicKey = typeof key === 'string' ? key : createPublicKey(key);
        const keyLookup = (): Promise<object> =>
          Promise.resolve({ id: 'k"\\1', algs: [algorithm], verify: createVerifier(publicKey, algorithm) });
        const verify = (headers: Record<string, string>): Promise<boolean | null> =>
          httpbis.verifyMessage({ keyLookup }, { method, url: `https://a.test${target}`, headers });
        const headers = Object.fromEntries(
          [...head.headers].map(([name, value]) => [name.toLowerCase(), value]),
        );
        assert.equal(await verify(headers), true, JSON.stringify({ line, headers }));
        const covered = components.find((name) => name in headers);
        if (covered !== undefined) {
          const changed = { ...headers, [covered]: `${headers[covered] ?? ''}x` };
          assert.notEqual(await verify(changed).catch(() => false), true, covered);
        }
        verified += 1;
      }),
      { seed: 9421, numRuns: 400 },
    );
    assert.equal(verified, 400);
  },
);
