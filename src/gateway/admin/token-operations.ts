// Tokens for the admin API: who may use it, and for how long.

import type { OutputOf } from '../../api/admin/routes.ts';
import { adminRoles } from '../../api/admin/roles.ts';
import type { LogInRecord, StoredOperatorToken } from '../../store/operator-store.ts';
import { type AdminParts, given, type Handlers, isoTime } from './admin-parts.ts';
import type { Operator } from './operator.ts';
import { makeOperatorToken, revokeOperatorToken, type TokenDesk } from './operator-tokens.ts';

type Token = OutputOf<'revokeToken'>;

export const tokenOperations: Handlers<'tokens' | 'makeToken' | 'revokeToken'> = {
  tokens: async ({ operators }, { nowMs }) => ({ items: (await operators.list(nowMs)).map(shownToken) }),
  makeToken: async (parts, { operator, body: { seconds, ...wish }, nowMs }) => {
    const desk = deskOf(parts, operator);
    const { token, stored } = await makeOperatorToken(desk, { ...wish, forMs: seconds * 1000 }, nowMs);
    return { token, record: shownToken(stored) };
  },
  revokeToken: async (parts, { operator, id, nowMs }) =>
    shownToken(await revokeOperatorToken(deskOf(parts, operator), id, nowMs)),
};

function deskOf({ operators, record }: AdminParts, { name }: Operator): TokenDesk {
  return { operators, operator: name, record };
}

function shownToken(token: StoredOperatorToken): Token {
  const { id, name, sees, createdMs, createdBy, expiresMs, usedMs, logIn } = token;
  // One of a later version is shown as the least.
  const role = adminRoles.find((one) => one === token.role) ?? 'viewer';
  return {
    id,
    name,
    role,
    createdBy,
    ...given('sees', sees),
    created: isoTime(createdMs),
    expires: isoTime(expiresMs),
    ...given('person', logIn === undefined ? undefined : personOf(logIn)),
    ...given('lastUsed', usedMs === undefined ? undefined : isoTime(usedMs)),
  };
}

function personOf({ issuer, subject, name, email }: LogInRecord): Token['person'] {
  return { issuer, subject, ...given('name', name), ...given('email', email) };
}
