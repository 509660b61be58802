// Who asks the admin API, and what of the gateway is theirs to see.

import { createHash, randomBytes } from 'node:crypto';
import { coversRole, type AdminRole, adminRoles } from '../../api/admin/roles.ts';
import { type ClaimSelector, selects } from '../../policy/claim-selector.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { LogInRecord, OperatorStore, StoredOperatorToken } from '../../store/operator-store.ts';

/** Somebody who may ask. */
export interface Operator {
  /** Stands in the audit. */
  readonly name: string;
  readonly role: AdminRole;
  readonly by: 'socket' | 'token' | 'link' | 'oidc';
  /** Only sessions with these claims are theirs; absent: all. */
  readonly sees?: ClaimSelector;
  readonly expiresMs?: number;
  /** Of the token that they came with. */
  readonly tokenId?: string;
  /** A session that nobody uses for so long has ended. */
  readonly idleMs?: number;
  /** Of a session by log-in: who it is, and what its writes must have. */
  readonly browser?: { readonly person: Omit<LogInRecord, 'group'>; readonly csrf: string };
}

const tokenPrefix = 'upadm_';
const tokenPattern = /^upadm_[A-Za-z0-9_-]{43}$/;
const tokenBytes = 32;

/** A new token. Only its digest is kept. */
export function newOperatorToken(): string {
  return `${tokenPrefix}${randomBytes(tokenBytes).toString('base64url')}`;
}

/** Under which a token is stored. It has 256 random bits, so no slow hash is needed. */
export function digestOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** The token of `Authorization: Bearer …`. @throws ProxyError operator_unknown */
export function bearerToken(authorization: string): string {
  const token = /^Bearer (\S{1,200})$/i.exec(authorization)?.[1];
  if (token !== undefined && tokenPattern.test(token)) return token;
  throw new ProxyError(
    'operator_unknown',
    'the request has no token of this API; send "Authorization: Bearer …"',
  );
}

/** Whose token it is. @throws ProxyError operator_unknown */
export async function operatorOfToken(store: OperatorStore, token: string, nowMs: number): Promise<Operator> {
  const found = await store.byDigest(digestOfToken(token));
  if (found === undefined) throw new ProxyError('operator_unknown', 'the token is not known');
  const { revokedMs, expiresMs, name, id, sees } = found;
  if (revokedMs !== undefined)
    throw new ProxyError('operator_unknown', 'the token was revoked; ask for a new one');
  if (expiresMs <= nowMs)
    throw new ProxyError(
      'operator_unknown',
      `the token expired at ${new Date(expiresMs).toISOString()}; ask for a new one`,
    );
  await store.used(id, nowMs);
  const who = {
    name: `${name} (token ${id})`,
    role: roleOf(found),
    by: 'token',
    expiresMs,
    tokenId: id,
  } as const;
  return sees === undefined ? who : { ...who, sees };
}

/** Whether who follows may still do so: the token has not ended since they came. */
export async function isStillKnown(
  store: OperatorStore,
  { tokenId, idleMs }: Operator,
  nowMs: number,
): Promise<boolean> {
  if (tokenId === undefined) return true;
  const token = await store.find(tokenId);
  if (token === undefined || token.revokedMs !== undefined || token.expiresMs <= nowMs) return false;
  return idleMs === undefined || !isIdle(token, idleMs, nowMs);
}

/** Whether nobody has used it for so long. */
export function isIdle(
  { usedMs = 0, createdMs }: Pick<StoredOperatorToken, 'usedMs' | 'createdMs'>,
  idleMs: number,
  nowMs: number,
): boolean {
  return nowMs - Math.max(usedMs, createdMs) >= idleMs;
}

/** @throws ProxyError operator_unknown if the token has ended since they came */
export async function requireStillKnown(
  store: OperatorStore,
  operator: Operator,
  nowMs: number,
): Promise<void> {
  if (await isStillKnown(store, operator, nowMs)) return;
  throw new ProxyError('operator_unknown', 'the token ended while the request was read; nothing was done');
}

/** A role that a later version stored is none that may do anything here. */
function roleOf({ role }: StoredOperatorToken): AdminRole {
  const known = adminRoles.find((one) => one === role);
  if (known === undefined)
    throw new ProxyError(
      'operator_unknown',
      'the role of the token is of another version; ask for a new one',
    );
  return known;
}

/** @throws ProxyError operator_refused */
export function requireRole(operator: Operator, needed: AdminRole): void {
  if (coversRole(operator.role, needed)) return;
  throw new ProxyError(
    'operator_refused',
    `${operator.name} is ${article(operator.role)} ${operator.role}, and this needs the role ${needed}`,
  );
}

function article(role: AdminRole): string {
  return /^[aeiou]/.test(role) ? 'an' : 'a';
}

/** Whether a session with these claims is theirs. */
export function isSeen(operator: Pick<Operator, 'sees'>, claims: unknown): boolean {
  return operator.sees === undefined || selects(operator.sees, claims);
}
