// What `policy explain` says of credentials: which would go on, where, and that the token of the session has to name them. Never what they are worth.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { credentialSchema, credentialSettings } from '../../../src/gateway/credentials/credential-kinds.ts';
import { isGrantedTo } from '../../../src/gateway/exchange/granted-credentials.ts';
import { explainPolicy } from '../../../src/gateway/policies/explain-policy.ts';
import { access, policyOf, principal } from '../../policy/fixture.ts';

const source = { env: 'CANARY_SECRET' };
const documents: Readonly<Record<string, object>> = {
  bearer: { kind: 'bearer', source },
  basic: { kind: 'basic', username: 'robot', source },
  field: { kind: 'header', header: 'X-Api-Key', prefix: 'canary ', source },
  query: { kind: 'query', parameter: 'key', source },
  hook: {
    kind: 'hmac',
    template: 'v0:{timestamp}:{body}',
    headers: { 'X-Signature': 'v0={signature}', 'X-Time': '{timestamp}' },
    parameters: { sig: '{signature}' },
    source,
  },
  signed: {
    kind: 'http-signature',
    algorithm: 'ed25519',
    keyId: 'gateway-1',
    components: ['@method', '@query-param;name="a"', 'content-digest'],
    source,
  },
  bucket: { kind: 'sigv4', accessKeyId: source, region: 'eu-central-1', service: 's3', source },
  anywhere: { kind: 'sigv4', accessKeyId: source, source },
  tool: {
    kind: 'publish-token',
    registry: 'npm',
    package: '@example/tool',
    registryUrl: 'https://registry.example.com',
    source,
  },
  robot: { kind: 'google', scopes: ['https://www.googleapis.com/auth/devstorage.read_only'], source },
};
const configs = Object.fromEntries(
  Object.entries(documents).map(([name, document]) => [
    name,
    credentialSettings(credentialSchema.parse(document), (path) => `/etc/${path}`),
  ]),
);

/** As a session whose token says so, or says nothing of it. */
function explained(name: string, credentials?: readonly string[]) {
  const policy = policyOf(`rules: [{ name: r, hosts: a.example.com, inject: ${name} }]`, {
    credentials: [name],
  });
  const who = principal(credentials === undefined ? {} : { claims: { credentials: [...credentials] } });
  const known = { configs, isGranted: isGrantedTo(who) };
  const question = { principal: who, access: access('GET https://a.example.com/x'), nowMs: 0, known };
  return explainPolicy(policy, policy, question);
}

test('of each kind it says where it goes, and nothing of where the secret is', () => {
  const wanted: Readonly<Record<string, string>> = {
    bearer: 'bearer): Authorization, as Bearer',
    basic: 'basic): Authorization, as Basic with the user robot',
    field: 'header): the field X-Api-Key',
    query: 'query): the parameter key of the query',
    hook: 'hmac): a keyed hash (sha256) by a template: the field X-Signature, the field X-Time, the parameter sig of the query',
    signed:
      'http-signature): the fields Signature and Signature-Input (RFC 9421), sig1 by the key gateway-1 (ed25519) over @method, @query-param;name="a", content-digest',
    bucket: "sigv4): a signature of AWS in place of the client's, for s3 in eu-central-1",
    anywhere:
      "sigv4): a signature of AWS in place of the client's, for the service in the region that the client names",
    tool: 'publish-token): Authorization, a token that publishes @example/tool at npm, on that request alone',
    robot: 'google): Authorization, as Bearer, a token of Google Cloud',
  };
  for (const [name, told] of Object.entries(wanted)) {
    const { text, refused, credentials } = explained(name);
    assert.ok(text.includes(`\n  where its credentials go:\n    ${name} (${told}\n`), text);
    assert.equal(refused, undefined);
    assert.deepEqual(
      credentials.map(({ credential, isGranted }) => [credential, isGranted]),
      [[name, true]],
    );
    assert.doesNotMatch(JSON.stringify([text, credentials]), /canary/i);
  }
});

test('where the token of the session does not name it, the request is refused all the same', () => {
  const { decision, refused, text } = explained('bearer', ['basic']);
  assert.equal(decision.effect, 'allow');
  assert.equal(
    refused,
    'the token of the session does not name the credential bearer (credential_not_granted)',
  );
  assert.match(text, /^ {2}refused all the same: the token of the session does not name .* bearer /m);
  assert.equal(explained('bearer', ['basic', 'bearer']).refused, undefined);
  assert.notEqual(explained('bearer', []).refused, undefined);
});

test('a credential that the configuration at hand does not have is told by its name alone', () => {
  const { credentials, text } = explained('elsewhere');
  assert.deepEqual(credentials, [{ credential: 'elsewhere', isGranted: true }]);
  assert.match(text, /would inject: elsewhere/);
  assert.doesNotMatch(text, /where its credentials go/);
});
