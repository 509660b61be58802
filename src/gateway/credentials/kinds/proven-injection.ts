// A token in the Authorization field; one that is bound to a key with a proof for this request beside it (RFC 9449 §7).

import { hostField } from '../../../http/authority.ts';
import type { RequestHead } from '../../../http/message-head.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { LogInTokens } from '../kept/log-in-tokens.ts';
import { asFieldValue } from '../request/field-value.ts';
import type { Credential } from './credential-kind.ts';

const noncePattern = /^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/;

export function provenInjection(tokens: Pick<LogInTokens, 'held' | 'reject'>): Credential {
  /** What each origin wants to have in the next proof; the oldest makes room. */
  const nonces = new Map<string, string>();
  const note = (origin: string, nonce: string): boolean => {
    if (!noncePattern.test(nonce) || nonces.get(origin) === nonce) return false;
    nonces.delete(origin);
    nonces.set(origin, nonce);
    const [oldest] = nonces.keys();
    if (nonces.size > defaultLimits.proofNoncesMax && oldest !== undefined) nonces.delete(oldest);
    return true;
  };
  return {
    applies: () => true,
    values: async (nowMs) => [(await tokens.held(nowMs)).secret],
    apply: async (head, nowMs) => {
      const { secret, proofKey } = await tokens.held(nowMs);
      const token = asFieldValue(secret.reveal());
      const onRejected = (rejectedMs: number): void => tokens.reject(secret, rejectedMs);
      const bare = head.headers.withoutAlike('authorization', 'dpop');
      if (proofKey === undefined) {
        const headers = bare.with('authorization', `Bearer ${token}`);
        return { head: { ...head, headers }, values: [secret], onRejected };
      }
      const origin = originOf(head);
      const proven = (own: RequestHead, atMs: number): RequestHead => {
        const { method, path } = own;
        const nonce = nonces.get(origin);
        const url = `${origin}${path}`;
        const proof = proofKey.proof({ method, url, nowMs: atMs, nonce, accessToken: token });
        return { ...own, headers: own.headers.without('dpop').with('dpop', proof) };
      };
      const headers = bare.with('authorization', `DPoP ${token}`);
      return {
        head: proven({ ...head, headers }, nowMs),
        values: [secret],
        onRejected,
        onNonce: (nonce) => note(origin, nonce),
        reprove: proven,
      };
    },
  };
}

function originOf({ destination }: RequestHead): string {
  return `${destination.scheme}://${hostField(destination)}`;
}
