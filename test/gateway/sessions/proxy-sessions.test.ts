// Sessions of proxy tokens, where their end comes in the midst of their beginning.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { SessionAudit } from '../../../src/gateway/audit/session-audit.ts';
import { ProxySessions } from '../../../src/gateway/sessions/proxy-sessions.ts';
import { proxyAudience, proxyTokenType } from '../../../src/gateway/sessions/proxy-token.ts';
import type { SessionService } from '../../../src/gateway/sessions/session-service.ts';
import { createSigningKey, type SigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../../src/gateway/sessions/token-issuer.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { openStore } from '../../../src/store/open-store.ts';

const source = { address: '127.0.0.1', userAgent: undefined };
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
  const token = tokenOf(key, nowMs);
  const { sessionId } = await tokens.admit(token, '127.0.0.1', 'trace');
  assert.ok(ended.delete(sessionId));
  await assert.rejects(tokens.admit(token, '127.0.0.1', 'trace'), { code: 'session_revoked' });
});

test('a token that comes in the clear while the store is away ends here at once, and one alarm says what is left to do', async () => {
  await using store = await openStore('sqlite::memory:');
  const key = createSigningKey();
  const nowMs = Date.now();
  const ended: string[] = [];
  const events: AuditEvent[] = [];
  const audit = new SessionAudit({
    healthy: true,
    append: (event) => void events.push(event),
    flush: async () => undefined,
  });
  const watch = { ended: new Set(), endedHere: async (id: string) => void ended.push(id) };
  const tokens = new ProxySessions({
    ...named,
    store,
    audit,
    sessions: { watch } as unknown as SessionService,
    signingKey: key,
    limits: defaultLimits,
    clock: () => nowMs,
  });
  const token = tokenOf(key, nowMs);
  const { sessionId } = await tokens.admit(token, '127.0.0.1', 'trace');
  store.sessions.withdraw = async () => {
    throw new ProxyError('store_unavailable', 'away');
  };
  for (let i = 0; i < 2; i += 1)
    await assert.rejects(tokens.expose(token, source, 'trace'), { code: 'store_unavailable' });
  assert.deepEqual(ended, [sessionId]);
  const alarms = events.filter(({ action }) => action === 'proxy_token_exposed');
  assert.equal(alarms.length, 1);
  assert.equal(alarms[0]?.sessionId, sessionId);
  await assert.rejects(tokens.admit(token, '127.0.0.1', 'trace'), { code: 'session_revoked' });
});

function tokenOf(key: SigningKey, nowMs: number): string {
  return issueSessionToken({
    ...named,
    key,
    audience: proxyAudience(named.audience),
    subject: 'job',
    ttlSeconds: 600,
    nowMs,
    typ: proxyTokenType,
  });
}
