// What gateways share of the log-ins of operators for credentials: tokens in the store, and how servers are asked for the next ones.

import { defaultLimits } from '../protocol/limits.ts';
import { RepeatedLook } from '../system/repeated-look.ts';
import { observedSink } from './audit/alarms.ts';
import { SessionAudit, type SessionStep } from './audit/session-audit.ts';
import { KeptSeal, type KeptSigner } from './credentials/kept/kept-seal.ts';
import { type KeptTold, KeptTokens, logInWord } from './credentials/kept/kept-tokens.ts';
import type { KeptLogIns } from './credentials/kept/log-in-tokens.ts';
import { TokenEndpoint } from './credentials/kept/token-endpoint.ts';
import type { ServiceOctetFetch } from './forward/service-fetch.ts';
import { readFiles } from './gateway-parts.ts';
import type { Start } from './gateway-start.ts';
import type { Records } from './open-records.ts';
import type { SigningKey } from './sessions/signing-key.ts';

export interface LogInWays {
  readonly signingKey: KeptSigner & Pick<SigningKey, 'signJwt'>;
  readonly fetch: ServiceOctetFetch;
}

export function openLogIns(
  { config, stack, clock, incarnation, onFault, onSessionEvent }: Start,
  { store, audit }: Pick<Records, 'store' | 'audit'>,
  { signingKey, fetch }: LogInWays,
): KeptLogIns {
  const steps = new SessionAudit(observedSink(audit, onSessionEvent));
  const seal = new KeptSeal(store.keptTokens, signingKey);
  const tokens = stack.use(
    new KeptTokens({
      store: store.keptTokens,
      seal,
      holderId: incarnation,
      onFault,
      onTold: (told) => void steps.record(stepOf(told, clock())).catch(onFault),
    }),
  );
  // After a rotation of the signing key whoever has the key of the tokens seals it anew.
  const { keptTokenLookMs: intervalMs } = defaultLimits;
  let fault = '';
  const following = stack.use(
    new RepeatedLook({
      look: async () => {
        await seal.follow();
        fault = '';
      },
      intervalMs,
      onFault: (error) => {
        if (error.message !== fault && error.code !== 'store_unavailable') onFault(error);
        fault = error.message;
      },
    }),
  );
  following.start();
  return {
    tokens,
    endpoint: new TokenEndpoint(fetch),
    readCa: readFiles,
    issuer: config.tokens.issuer,
    sign: (typ, claims) => signingKey.signJwt(typ, claims),
    clock,
  };
}

function stepOf(told: KeptTold, nowMs: number): SessionStep {
  const credential = told.id.replace(/^credential\//, '');
  const details = { credential };
  const lost =
    'a gateway asked with the same refresh token before, and ended without writing down what it was given';
  if (told.kind === 'asked_again') {
    const message = `New tokens of credential ${credential} are asked for again: ${lost}. A server that takes a refresh token twice for a while gives them.`;
    return { action: 'credential_asked_again', nowMs, message, details };
  }
  const why =
    told.attempts > 0
      ? '; an earlier response of it got lost, for a gateway ended before it could write it down or the connection broke'
      : '';
  const message = `The server takes the refresh token of credential ${credential} no more (${told.word})${why}. ${logInWord(told.id).replace(/^l/, 'L')}.`;
  return { action: 'credential_refused', nowMs, message, details: { ...details, word: told.word } };
}
