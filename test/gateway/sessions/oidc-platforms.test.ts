// Tokens as three platforms issue them, from their header to the rule that their claims select.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { oidcIssuer } from '../../../src/gateway/sessions/oidc-issuer.ts';
import { verifySessionToken } from '../../../src/gateway/sessions/session-token.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { openSessionService } from '../../../src/gateway/sessions/session-service.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { access, policyOf, principal } from '../../policy/fixture.ts';
import {
  audience,
  createAgentKey,
  enrolUrl,
  posture,
  proofOf,
  RecordingAudit,
  startMs,
} from '../session-fixture.ts';

const nowSeconds = startMs / 1000;
const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
const jwk = { ...(await exportJWK(publicKey)), kid: 'platform-key', use: 'sig', alg: 'RS256' };

interface Platform {
  readonly name: string;
  readonly issuer: string;
  readonly jwksUrl?: string;
  readonly header: Readonly<Record<string, string>>;
  readonly claims: Readonly<Record<string, unknown>>;
  /** Claims of another workload on the same platform. */
  readonly others: Readonly<Record<string, unknown>>;
}

const platforms: readonly Platform[] = [
  {
    name: 'kubernetes',
    issuer: 'https://kubernetes.default.svc.cluster.local',
    // Its metadata leads to an address of a node; operators name the keys.
    jwksUrl: 'https://kubernetes.default.svc.cluster.local/openid/v1/jwks',
    header: {},
    claims: {
      aud: [audience],
      sub: 'system:serviceaccount:builds:runner',
      nbf: nowSeconds,
      jti: '4b0f5ad6-5a3c-4b5c-a1a9-4ea2f2d1cf10',
      'kubernetes.io': {
        namespace: 'builds',
        node: { name: 'node-1', uid: '0e1f7a40-9d52-4c5f-8f4d-62b4a1b7cc01' },
        pod: { name: 'runner-x7k2p', uid: '5a7d2a7e-3b43-4d5e-9d0b-1f6f7a1c2b03' },
        serviceaccount: { name: 'runner', uid: '9c2d6a0e-7f0c-4b36-8a55-55a6d7ef8a04' },
      },
    },
    others: {
      sub: 'system:serviceaccount:default:default',
      'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'default', uid: 'x' } },
    },
  },
  {
    name: 'actions',
    issuer: 'https://token.actions.example.com',
    header: { typ: 'JWT', x5t: 'VMB-kN4PAMNeFvDHZmRpgW3D2-U' },
    claims: {
      aud: audience,
      sub: 'repo:acme/app:ref:refs/heads/main',
      nbf: nowSeconds - 300,
      jti: 'a8d3f1d2-2b1e-4a52-9a6f-0c6b6c1f3e05',
      ref: 'refs/heads/main',
      sha: '5b3fd6f1c9a1f2e8a57d2c4f84b8d5c6a7b8c9d0',
      repository: 'acme/app',
      repository_owner: 'acme',
      repository_visibility: 'private',
      run_id: '6042731955',
      run_attempt: '1',
      actor: 'octocat',
      workflow: 'build',
      event_name: 'push',
      job_workflow_ref: 'acme/app/.github/workflows/build.yml@refs/heads/main',
      runner_environment: 'self-hosted',
    },
    others: {
      sub: 'repo:mallory/app:ref:refs/heads/main',
      repository: 'mallory/app',
      repository_owner: 'mallory',
    },
  },
  {
    name: 'gitlab',
    issuer: 'https://gitlab.example.com',
    header: { typ: 'JWT' },
    claims: {
      aud: audience,
      sub: 'project_path:acme/app:ref_type:branch:ref:main',
      nbf: nowSeconds - 5,
      jti: '1d2e6b5c-6d3c-4f1a-b8d1-3d0b7f9a7c06',
      namespace_path: 'acme',
      project_id: '42',
      project_path: 'acme/app',
      pipeline_source: 'push',
      job_id: '1001',
      ref: 'main',
      ref_type: 'branch',
      ref_protected: 'true',
      groups_direct: ['acme/builders'],
    },
    others: { sub: 'project_path:acme/app:ref_type:branch:ref:wip', ref: 'wip', ref_protected: 'false' },
  },
];

const policy = policyOf(`
rules:
  - { name: kubernetes, hosts: api.example.com, for: { kubernetes.io: { namespace: builds, serviceaccount: { name: runner } } } }
  - { name: actions, hosts: api.example.com, for: { repository: acme/*, ref: refs/heads/main, runner_environment: self-hosted } }
  - { name: gitlab, hosts: api.example.com, for: { project_path: acme/app, ref_protected: "true", groups_direct: acme/builders } }
`);

function sign(platform: Platform, changes: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const { issuer, header, claims } = platform;
  const all = { iss: issuer, iat: nowSeconds - 5, exp: nowSeconds + 600, ...claims, ...changes };
  return new SignJWT(all).setProtectedHeader({ alg: 'RS256', kid: jwk.kid, ...header }).sign(privateKey);
}

function trustOf({ issuer, jwksUrl }: Platform) {
  const keysUrl = jwksUrl ?? `${issuer}/keys`;
  const documents = new Map<string, unknown>([
    [`${issuer}/.well-known/openid-configuration`, { issuer, jwks_uri: keysUrl }],
    [keysUrl, { keys: [jwk] }],
  ]);
  return oidcIssuer({
    issuer,
    algorithms: ['RS256'],
    ...(jwksUrl === undefined ? {} : { jwksUrl }),
    fetch: async (url) => ({
      status: documents.has(url) ? 200 : 404,
      body: new Blob([JSON.stringify(documents.get(url) ?? {})]).stream(),
    }),
  });
}

const trust = platforms.map(trustOf);
const request = access('GET https://api.example.com/');

for (const platform of platforms) {
  test(`a token of the shape of ${platform.name} selects the rule that is for its claims, and no other`, async () => {
    const verify = async (changes?: Readonly<Record<string, unknown>>) =>
      verifySessionToken(await sign(platform, changes), { trust, audience, nowMs: startMs });
    const { claims, subject, issuer } = await verify();
    assert.deepEqual([issuer, subject], [platform.issuer, platform.claims['sub']]);
    assert.equal(policy.decide(principal({ claims }), request, startMs).rule.name, platform.name);
    const others = (await verify(platform.others)).claims;
    assert.equal(policy.decide(principal({ claims: others }), request, startMs).rule.name, 'default-deny');
  });

  test(`a token of ${platform.name} for somebody else, expired, or under another issuer's name is refused`, async () => {
    const refusals: readonly [changes: Readonly<Record<string, unknown>>, code: string][] = [
      [{ aud: 'https://kubernetes.default.svc' }, 'token_invalid'],
      [{ exp: nowSeconds - 60 }, 'token_expired'],
      [{ nbf: nowSeconds + 120 }, 'token_expired'],
      [{ iss: 'https://issuer.example.net' }, 'token_invalid'],
      [{ jti: undefined }, 'token_invalid'],
    ];
    for (const [changes, code] of refusals) {
      const token = await sign(platform, changes);
      await assert.rejects(verifySessionToken(token, { trust, audience, nowMs: startMs }), { code });
    }
  });
}

test('such a token starts one session; used again after the commit it is an alarm', async () => {
  await using store = await openStore('sqlite::memory:');
  const audit = new RecordingAudit();
  await using service = await openSessionService({
    store,
    audit,
    signingKey: createSigningKey(),
    issuer: 'https://gateway.example.com',
    audience,
    trust,
    sessionFacts: () => ({ placeholders: {}, capturePorts: [], modes: [] }),
    clock: () => startMs,
  });
  for (const platform of platforms) {
    const token = await sign(platform);
    const enrol = (key = createAgentKey()) =>
      service.enrol({
        token,
        proof: proofOf(key, { nowMs: startMs }),
        url: enrolUrl,
        body: { key: key.jwk, posture, agent: { version: '0.1.0' } },
        nowMs: startMs,
      });
    const { session_id } = await enrol();
    await store.sessions.commit(session_id, startMs);
    await assert.rejects(enrol(), { code: 'token_reused' });
    const alarm = audit.events.at(-1);
    assert.deepEqual([alarm?.kind, alarm?.action, alarm?.sessionId], ['alarm', 'token_reused', session_id]);
    assert.equal(alarm?.principal, `${platform.issuer}|${String(platform.claims['sub'])}`);
  }
});
