// How a token of a log-in is taken back at the server that gave it (RFC 7009), as the client that got it. Where, the rule says.

import { z } from 'zod';
import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { fetchReason, type ServiceFetch } from '../../forward/service-fetch.ts';
import type { TokenKind } from './token-members.ts';

const clientText = z.string().max(defaultLimits.insideTokenCharactersMax);

/** Beside the token, sealed with it: what is asked for once nobody is there to say it. */
export const revocationSchema = z.strictObject({
  /** At the server that gave the token. */
  path: z.string(),
  /** Networks that the rule opened for the server. Absent: none but the public ones. */
  addresses: z.array(z.string()).optional(),
  /** As the tool showed itself when it got the token. */
  clientId: clientText.optional(),
  clientSecret: clientText.optional(),
  authorization: clientText.optional(),
});
export type TokenRevocation = z.infer<typeof revocationSchema>;

/** What a server takes back: by a refresh token all that came of it, by an access token that one. */
const hints: Partial<Readonly<Record<TokenKind, string>>> = {
  refresh: 'refresh_token',
  access: 'access_token',
};

export function isRevocable(kind: TokenKind): boolean {
  return hints[kind] !== undefined;
}

export interface RevokedToken {
  readonly kind: TokenKind;
  /** `https://host:port` */
  readonly origin: string;
  readonly token: Secret<string>;
  readonly revocation: TokenRevocation;
}

/** `false`: the server says no, and would say it again. @throws ProxyError credential_unavailable if it may say yes later */
export async function revokeToken(
  fetch: ServiceFetch,
  { kind, origin, token, revocation }: RevokedToken,
): Promise<boolean> {
  const { path, addresses = [], clientId, clientSecret, authorization } = revocation;
  const form = new URLSearchParams({ token: token.reveal(), token_type_hint: hints[kind] ?? 'access_token' });
  if (clientId !== undefined) form.set('client_id', clientId);
  if (clientSecret !== undefined) form.set('client_secret', clientSecret);
  const headers = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
    ...(authorization === undefined ? {} : { authorization }),
  };
  const { status } = await fetch(`${origin}${path}`, {
    method: 'POST',
    headers,
    body: form.toString(),
    // Where its name leads by now, nobody has judged: the server could send the gateway into its own network.
    addresses,
  }).catch((error: unknown) => {
    throw unavailable(`${origin} cannot be reached: ${fetchReason(error)}`, error);
  });
  if (status >= 500 || status === 429) throw unavailable(`${origin} responded with ${String(status)}`);
  // RFC 7009 §2.2: 200 also for a token that it does not know.
  return status >= 200 && status <= 299;
}

function unavailable(why: string, cause?: unknown): ProxyError {
  return new ProxyError(
    'credential_unavailable',
    `tokens of a log-in are not revoked: ${why}`,
    cause === undefined ? {} : { cause },
  );
}
