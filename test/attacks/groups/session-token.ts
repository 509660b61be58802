// Tokens and proofs that are not what they claim, against the real session service.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';

import { sessionTokenType } from '../../../src/gateway/sessions/token-issuer.ts';
import {
  encode,
  openTestSessions,
  startMs,
  issuer,
  audience,
  type TestSessions,
} from '../../gateway/session-fixture.ts';
import type { AttackTable } from '../support/attack.ts';

async function refusedTokens(sessions: TestSessions, tokens: readonly string[]): Promise<void> {
  for (const token of tokens)
    await assert.rejects(
      sessions.enrol(token),
      (error: Error & { code: string }) => error.code.startsWith('token_'),
      token.slice(0, 120),
    );
}

const nowSeconds = startMs / 1000;
const claims = {
  iss: issuer,
  aud: audience,
  sub: 'job-1',
  jti: 'j',
  iat: nowSeconds,
  nbf: nowSeconds,
  exp: nowSeconds + 600,
};

export const sessionToken: AttackTable = {
  'TOK-01': async () => {
    await using sessions = await openTestSessions();
    const [head, body] = sessions.token().split('.');
    const none = ['none', 'NoNe', 'NONE', ''].flatMap((alg) => [
      `${encode({ alg, typ: sessionTokenType })}.${encode(claims)}.`,
      `${encode({ alg, typ: sessionTokenType })}.${encode(claims)}.AA`,
    ]);
    await refusedTokens(sessions, [...none, `${head}.${body}.`, `${head}.${body}`]);
  },
  'TOK-02': async () => {
    await using sessions = await openTestSessions();
    const { signingKey } = sessions;
    const pem = signingKey.publicKey.export({ type: 'spki', format: 'pem' });
    const input = `${encode({ alg: 'HS256', typ: sessionTokenType, kid: signingKey.kid })}.${encode(claims)}`;
    await refusedTokens(sessions, [
      `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`,
    ]);
  },
  'TOK-03': async () => {
    await using sessions = await openTestSessions();
    const heads = [
      { kid: '../../dev/null' },
      { kid: "' OR 1=1" },
      { kid: {} },
      { kid: '__proto__' },
      { jku: 'https://evil.test/jwks' },
      { x5u: 'https://evil.test/x' },
      { jwk: { kty: 'OKP', crv: 'Ed25519', x: 'AA' } },
      { crit: ['b64'], b64: false },
    ];
    const [, body, signature] = sessions.token().split('.');
    // The sentry sees every connection that the process tries: none may go anywhere.
    await refusedTokens(
      sessions,
      heads.map((head) => `${encode({ alg: 'EdDSA', typ: sessionTokenType, ...head })}.${body}.${signature}`),
    );
  },
  'TOK-04': async () => {
    await using sessions = await openTestSessions();
    const signed = (changes: Readonly<Record<string, unknown>>): string =>
      sessions.signingKey.signJwt(sessionTokenType, { ...claims, ...changes });
    await refusedTokens(sessions, [
      signed({ aud: 'other' }),
      signed({ iss: 'https://evil.test' }),
      signed({ exp: nowSeconds - 31 }),
      signed({ nbf: nowSeconds + 31 }),
      signed({ exp: undefined }),
      signed({ exp: String(nowSeconds + 600) }),
      signed({ sub: undefined }),
      signed({ jti: undefined }),
      signed({ padding: 'x'.repeat(10_000_000) }),
    ]);
  },
  'TOK-05': async () => {
    await using sessions = await openTestSessions();
    const token = sessions.token();
    const agent = await sessions.enrol(token);
    await sessions.service.commit(agent.request('POST', '/v1/code/upstreamproxy/session/commit'));
    await assert.rejects(sessions.enrol(token), { code: 'token_reused' });
    assert.ok(sessions.audit.actions.includes('token_reused'));
    // The access token without its key is worth nothing.
    const stranger = await sessions.enrol(sessions.token());
    const own = agent.request('GET', '/v1/code/upstreamproxy/ws');
    const mixed = { ...own, proof: stranger.request('GET', '/v1/code/upstreamproxy/ws').proof };
    await assert.rejects(sessions.service.authenticate(mixed), { code: 'proof_invalid' });
    await sessions.service.authenticate(own);
    await assert.rejects(sessions.service.authenticate(own), { code: 'proof_invalid' });
    await sessions.service.end(agent.request('DELETE', '/v1/code/upstreamproxy/session'));
    await assert.rejects(
      sessions.service.authenticate(agent.request('GET', '/v1/code/upstreamproxy/ws')),
      (error: Error & { code: string }) => /session_|token_/.test(error.code),
    );
  },
  'TOK-06': async () => {
    await using sessions = await openTestSessions();
    const one = await sessions.enrol(sessions.token());
    const two = await sessions.enrol(sessions.token());
    await sessions.service.commit(one.request('POST', '/v1/code/upstreamproxy/session/commit'));
    // No path and no field names a session: whoever asks is who signed.
    const { principal } = await sessions.service.authenticate(
      one.request('GET', '/v1/code/upstreamproxy/ws'),
    );
    assert.equal(principal.sessionId, one.sessionId);
    assert.notEqual(one.sessionId, two.sessionId);
  },
  'TOK-08': async () => {
    await using sessions = await openTestSessions();
    const token = sessions.token();
    const agent = await sessions.enrol(token);
    const url = `/v1/code/upstreamproxy/ws?token=${agent.accessToken}`;
    await assert.rejects(
      sessions.service.authenticate({ ...agent.request('GET', url), authorization: undefined }),
    );
    const audit = JSON.stringify(sessions.audit.events);
    assert.ok(!audit.includes(token) && !audit.includes(agent.accessToken));
  },
};
