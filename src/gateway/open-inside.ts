// Tokens that tools of sessions log in to by themselves: where they are kept, and that they go with their session.

import { randomBytes } from 'node:crypto';
import type { Policy } from '../policy/decision.ts';
import { asProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { RepeatedLook } from '../system/repeated-look.ts';
import type { Store } from '../store/store.ts';
import { InsideTokens } from './credentials/inside/inside-tokens.ts';
import { KeptSeal, type KeptSigner } from './credentials/kept/kept-seal.ts';
import { type RevokedToken, revokeToken } from './credentials/inside/token-revocation.ts';
import type { OpenServiceFetch } from './forward/service-fetch.ts';
import type { Start } from './gateway-start.ts';
import type { SessionService } from './sessions/session-service.ts';

export interface InsideNeeds {
  readonly store: Pick<Store, 'keptTokens'>;
  readonly signingKey: KeptSigner;
  readonly sessions: Pick<SessionService, 'onEnded'>;
  readonly upstream: { readonly guarded: OpenServiceFetch };
  readonly policies: {
    readonly current: () => Pick<Policy, 'revokesTokens'>;
    readonly onChange: (listener: () => void) => void;
  };
}

export function openInside(
  { config: { limits }, stack, incarnation: holderId, onFault }: Start,
  { store: { keptTokens: store }, signingKey, sessions, upstream: { guarded }, policies }: InsideNeeds,
): InsideTokens {
  const prepare = (): void => {
    if (policies.current().revokesTokens) guarded.prepare();
  };
  prepare();
  policies.onChange(prepare);
  const seal = new KeptSeal(store, signingKey);
  const random = (count: number): Uint8Array => randomBytes(count);
  const revoke = (revoked: RevokedToken): Promise<boolean> => revokeToken(guarded.fetch, revoked);
  const inside = new InsideTokens({ store, seal, holderId, limits, random, revoke, onFault });
  sessions.onEnded((sessionId) => {
    inside.forget(sessionId).catch((error: unknown) => onFault(asProxyError(error)));
  });
  const look = (signal: AbortSignal): Promise<void> => inside.lookForEnded(signal);
  stack.use(new RepeatedLook({ look, intervalMs: defaultLimits.insideOverMs, onFault })).start();
  return inside;
}
