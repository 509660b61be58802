import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HomeCredentials } from '../../../src/gateway/credentials/request/home-credentials.ts';
import { injectOfHome } from '../../../src/gateway/exchange/inject-of-home.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import type { ValidatedRequest } from '../../../src/http/request-validation.ts';
import { access, nowMs, policyOf, principal } from '../../policy/fixture.ts';

const head: ValidatedRequest['head'] = {
  method: 'POST',
  destination: { scheme: 'https', host: 'as.test', port: 443 },
  path: '/token',
  query: '',
  headers: new HeaderList([]),
  httpVersion: '1.1',
};
const placed = { head, name: 'home', searched: [], looksForTokens: false };
// Of all that it can, what is asked here: it has something for every request.
const homes = { inject: () => placed } as unknown as HomeCredentials;

/** Names of what is put on a request that a rule with these keys admits. */
function namesFor(keys: string): readonly string[] | undefined {
  const policy = policyOf(`rules: [{ name: a, hosts: as.test, methods: POST, paths: /token${keys} }]`);
  const decision = policy.decide(principal(), access('POST https://as.test/token'), nowMs);
  assert.ok(decision.effect === 'allow');
  return injectOfHome({ head } as ValidatedRequest, decision, homes)?.names;
}

test('what an issuer hands out is kept also where the home has something for it', () => {
  assert.deepEqual(namesFor(''), ['home']);
  assert.deepEqual(namesFor(', logIn: login'), ['home']);
  assert.equal(namesFor(', logIn: { name: login, issuer: true }'), undefined);
  assert.equal(namesFor(', inject: api'), undefined);
});
