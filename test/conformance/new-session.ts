// A session as it enrols, and one that another makes, for tests of the store.

import type { NewChild, NewSession } from '../../src/store/store.ts';

export function newSession(id: string, changes: Partial<NewSession> = {}): NewSession {
  return {
    id,
    tokenKey: 'token-1',
    tokenExpiresMs: 50_000,
    principalId: 'issuer|subject',
    claims: { sub: 'subject', groups: ['a', 'b'] },
    posture: {
      runtime: 'node',
      runtimeVersion: '26',
      platform: 'linux',
      nondumpable: true,
      execOnly: false,
      untraced: true,
      coreLimitZero: true,
      inspectorClosed: true,
      environmentClean: true,
      jailed: false,
      uid: 1000,
      notes: [],
    },
    keyThumbprint: 'thumbprint',
    agentVersion: '0.1.0',
    enrolledMs: 1000,
    commitByMs: 10_000,
    endsMs: 100_000,
    ...changes,
  };
}

export function newChild(id: string, parentId: string, changes: Partial<NewChild> = {}): NewChild {
  return {
    id,
    parentId,
    policy: `policy of ${id}`,
    keyThumbprint: `key of ${id}`,
    agentVersion: '0.2.0',
    isConfined: true,
    nowMs: 3000,
    endsMs: 50_000,
    ...changes,
  };
}
