// The use of an administrator token where people log in at an identity provider: an alarm, once an hour for each token.

import { defaultLimits } from '../../protocol/limits.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import type { Operator } from './operator.ts';

type Record = (step: SessionStep) => Promise<void>;

/** @throws ProxyError audit_unavailable: then nothing is done with it. */
export function administratorUse(): (operator: Operator, nowMs: number, record: Record) => Promise<void> {
  /** When it was told of last, by the id of the token. */
  const told = new Map<string, number>();
  return async ({ role, by, name, tokenId }, nowMs, record) => {
    if (role !== 'administrator' || by !== 'token' || tokenId === undefined) return;
    const before = told.get(tokenId);
    if (before !== undefined && nowMs - before < defaultLimits.administratorUseMs) return;
    told.delete(tokenId);
    told.set(tokenId, nowMs);
    const [oldest] = told.keys();
    if (told.size > defaultLimits.operatorTokensMax && oldest !== undefined) told.delete(oldest);
    const message = `An administrator token was used, beside log-in at the identity provider: ${name}.`;
    try {
      await record({
        action: 'administrator_token_used',
        nowMs,
        message,
        details: { id: tokenId, operator: name },
      });
    } catch (error) {
      told.delete(tokenId);
      throw error;
    }
  };
}
