// Sessions of proxy tokens, where their end comes in the midst of their beginning.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionAudit } from '../../../src/gateway/audit/session-audit.ts';
import { ProxySessions } from '../../../src/gateway/sessions/proxy-sessions.ts';
import { proxyAudience, proxyTokenType } from '../../../src/gateway/sessions/proxy-token.ts';
import type { SessionService } from '../../../src/gateway/sessions/session-service.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../../src/gateway/sessions/token-issuer.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';

const named = { issuer: 'https://gateway.test', audience: 'gateway' };

test('a session that ends while its beginning is recorded is over for good, not for as long as its end is remembered', async () => {
  await using store = await openStore('sqlite::memory:');
  const key = createSigningKey();
  const nowMs = Date.now();
  const ended = new Set<string>();
  const audit = new SessionAudit({
    healthy: true,
    append: ({ action, sessionId = '' }) => {
      if (action === 'committed') void end(sessionId);
    },
    flush: async () => undefined,
  });
  const tokens = new ProxySessions({
    ...named,
    store,
    audit,
    sessions: { watch: { ended } } as unknown as SessionService,
    signingKey: key,
    limits: defaultLimits,
    clock: () => nowMs,
  });
  const end = async (sessionId: string): Promise<void> => {
    ended.add(sessionId);
    tokens.forget(sessionId);
    await store.sessions.end(sessionId, { state: 'revoked', reason: 'test' }, nowMs);
  };
  const token = issueSessionToken({
    ...named,
    key,
    audience: proxyAudience(named.audience),
    subject: 'job',
    ttlSeconds: 600,
    nowMs,
    typ: proxyTokenType,
  });
  const { sessionId } = await tokens.admit(token, '127.0.0.1', 'trace');
  assert.ok(ended.delete(sessionId));
  await assert.rejects(tokens.admit(token, '127.0.0.1', 'trace'), { code: 'session_revoked' });
});
