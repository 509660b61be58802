// Tokens for the admin API are made and ended here, by whatever way who does it came; each leaves its event.

import { randomUUIDv7 } from 'node:crypto';
import type { AdminRole } from '../../api/admin/roles.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { OperatorStore, OperatorToken, StoredOperatorToken } from '../../store/operator-store.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import { digestOfToken, newOperatorToken } from './operator.ts';

export interface TokenDesk {
  readonly operators: OperatorStore;
  /** Who does it, for the audit. */
  readonly operator: string;
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  readonly record: (step: SessionStep) => Promise<void>;
}

export interface TokenWish {
  readonly name: string;
  readonly role: AdminRole;
  readonly forMs: number;
  readonly sees?: OperatorToken['sees'] | undefined;
}

/** The token, shown this once, and what is kept of it. @throws ProxyError usage, limit_exceeded, audit_unavailable */
export async function makeOperatorToken(
  { operators, operator, record }: TokenDesk,
  { name, role, forMs, sees }: TokenWish,
  nowMs: number,
): Promise<{ readonly token: string; readonly stored: OperatorToken }> {
  if (sees !== undefined && role === 'administrator')
    throw new ProxyError(
      'usage',
      'an administrator sees all sessions: name another role, or let the token see all',
    );
  const token = newOperatorToken();
  const some = sees === undefined ? {} : { sees };
  const stored: OperatorToken = {
    id: randomUUIDv7(),
    digest: digestOfToken(token),
    name,
    role,
    ...some,
    createdMs: nowMs,
    createdBy: operator,
    expiresMs: nowMs + forMs,
  };
  const ends = new Date(stored.expiresMs).toISOString();
  const message = `A token of the admin API was made for ${name}, as ${role}, until ${ends}.`;
  const details = { id: stored.id, name, role, operator, ...some };
  // Stored first: nobody has rights of which no event tells.
  await record({ action: 'operator_token_made', nowMs, message, details });
  const { operatorTokensMax } = defaultLimits;
  if (!(await operators.add(stored, { operatorTokensMax })))
    throw new ProxyError(
      'limit_exceeded',
      `there are ${operatorTokensMax} tokens (operatorTokensMax); revoke some`,
      { limit: 'operatorTokensMax' },
    );
  return { token, stored };
}

/** Ends it at once. @throws ProxyError operation_unknown, state_changed, audit_unavailable */
export async function revokeOperatorToken(
  { operators, operator, record }: TokenDesk,
  id: string,
  nowMs: number,
): Promise<StoredOperatorToken> {
  const token = await operators.find(id);
  if (token === undefined) throw new ProxyError('operation_unknown', 'there is no token of that id');
  if (!(await operators.revoke(id, nowMs)))
    throw new ProxyError('state_changed', 'the token was revoked already');
  // It ends first: an audit that fails must not keep it good.
  const { name } = token;
  const message = `The token of the admin API of ${name} was revoked.`;
  await record({ action: 'operator_token_revoked', nowMs, message, details: { id, name, operator } });
  return token;
}
