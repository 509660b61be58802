// A token that names credentials grants those and no others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { injectCredentials } from '../../../src/gateway/exchange/inject-credentials.ts';
import { mayHave, requireGranted } from '../../../src/gateway/exchange/granted-credentials.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { policyOf } from '../../policy/fixture.ts';
import { credentialsOf } from '../../../src/gateway/sessions/credentials-claim.ts';

const asked = (credentials: unknown, ...names: readonly string[]): string => {
  try {
    requireGranted(
      { claims: credentials === undefined ? {} : { credentials } },
      names.map((credential) => ({ credential })),
    );
    return 'granted';
  } catch (error) {
    // What it throws is a ProxyError.
    return (error as { readonly code: string }).code;
  }
};

test('a session has the credentials that its token names, and without the claim what the policy says', () => {
  assert.equal(asked(undefined, 'a', 'b'), 'granted');
  assert.equal(asked(['a', 'b'], 'a'), 'granted');
  assert.equal(asked(['a', 'b'], 'a', 'b'), 'granted');
  assert.equal(asked('a', 'a'), 'granted');
  assert.equal(asked(['a'], 'a', 'b'), 'credential_not_granted');
  assert.equal(asked([]), 'granted', 'a rule without credentials');
});

test('a claim that cannot be read grants nothing', () => {
  const claims = [[], null, 1, {}, '', 'a b', 'a,b', [['a']], [{ toString: () => 'a' }], Array(65).fill('a')];
  for (const claim of claims)
    assert.equal(asked(claim, 'a'), 'credential_not_granted', JSON.stringify(claim));
});

test('names of a command line are those of the configuration, each once', () => {
  const known = { a: {}, b: {} };
  assert.deepEqual(credentialsOf(['a,b', 'a'], known), ['a', 'b']);
  for (const wrong of ['c', '', 'a,,b', 'toString', '__proto__'])
    assert.throws(() => credentialsOf([wrong], known), /has no credential/);
});

test('no source is asked for a credential that the token does not name', async () => {
  const asked: string[] = [];
  const head = {
    method: 'GET',
    destination: { scheme: 'https', host: 'api.test', port: 443 },
    path: '/',
    query: '',
    headers: HeaderList.of([]),
    httpVersion: '1.1',
  } as const;
  const injecting = (claims: Readonly<Record<string, unknown>>): Promise<unknown> =>
    injectCredentials(
      {
        head,
        body: undefined,
        principal: { id: 'issuer|ada', sessionId: 's', claims, posture: [] },
      },
      {
        effect: 'allow',
        rule: { name: 'r' },
        handling: 'intercept',
        addresses: [],
        limits: {},
        inject: [{ credential: 'it' }],
      },
      {
        clock: () => 0,
        // It is asked for this alone.
        credentials: {
          inject: (_head: unknown, injections: readonly { readonly credential: string }[]) => {
            asked.push(...injections.map(({ credential }) => credential));
            return Promise.resolve({ searched: undefined });
          },
        } as unknown as Parameters<typeof injectCredentials>[2]['credentials'],
      },
    );
  await assert.rejects(injecting({ credentials: ['other'] }), {
    code: 'credential_not_granted',
    credential: 'it',
  });
  assert.deepEqual(asked, []);
  await injecting({ credentials: ['it'] });
  await injecting({});
  assert.deepEqual(asked, ['it', 'it']);
});

test('a session may have what a rule puts on its requests, where its token names it or names none', () => {
  const policy = policyOf(
    [
      `rules:
  - { name: a, hosts: a.example.com, inject: one }
  - { name: b, hosts: b.example.com, inject: [two, three] }
  - { name: c, hosts: c.example.com, deny: no }`,
    ],
    { credentials: ['one', 'two', 'three'] },
  );
  const had = (claims: Readonly<Record<string, unknown>>): readonly string[] => {
    const isFor = mayHave({ id: 'p', sessionId: 's', claims, posture: [] }, policy);
    return ['one', 'two', 'three', 'four'].filter(isFor);
  };
  assert.deepEqual(had({}), ['one', 'two', 'three']);
  assert.deepEqual(had({ credentials: ['two', 'four'] }), ['two']);
  assert.deepEqual(had({ credentials: [] }), []);
});
