import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EndedSessions } from '../../../../src/gateway/credentials/inside/ended-sessions.ts';
import { memoryKeptTokens } from '../../../support/memory-kept-tokens.ts';

test('a token that comes while the end of its session is looked at is revoked at the next look', async () => {
  const store = memoryKeptTokens();
  const revoked: string[] = [];
  const ended = new EndedSessions({
    store,
    seal: {
      seal: (_, value) => Promise.resolve(JSON.stringify(value)),
      open: (_, sealed) => Promise.resolve(JSON.parse(sealed) as unknown),
    },
    holderId: 'one',
    revoke: ({ token }) => {
      revoked.push(token.reveal());
      return Promise.resolve(true);
    },
    onFault: (error) => assert.fail(error),
  });
  const keep = (id: string, more: object): Promise<boolean> => {
    const kept = { logIn: 'tool', kind: 'access', origin: 'https://as.test', token: id, ...more };
    return store.putOfSession(id, { sealed: JSON.stringify(kept), sessionId: 'alice', max: 9 });
  };
  // Nobody takes this one back.
  await keep('first', {});
  const { ofSession } = store;
  store.ofSession = async (...asked) => {
    store.ofSession = ofSession;
    const rows = await ofSession(...asked);
    await keep('late', { revocation: { path: '/revoke' } });
    return rows;
  };
  await ended.end('alice');
  assert.deepEqual([...store.rows.keys()], ['late']);
  store.sessionsOver = () => Promise.resolve(['alice']);
  await ended.look();
  assert.deepEqual([revoked, store.rows.size], [['late'], 0]);
});
