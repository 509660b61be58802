// An identity provider by hand, which sends what a test wants. Its page for log-in is left out: a test makes the way back itself.

import type { RequestListener, ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { clientId } from '../../support/identity-provider.ts';

const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
export const providerJwk: JWK = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };

/** Claims as they must be, for that nonce. */
export function goodClaims(issuer: string, nonce: string): Readonly<Record<string, unknown>> {
  const now = Math.floor(Date.now() / 1000);
  return { iss: issuer, aud: clientId, sub: 'a-1', nonce, iat: now, exp: now + 300, groups: ['everybody'] };
}

export function signedByProvider(claims: Readonly<Record<string, unknown>>): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader({ alg: 'RS256', kid: 'one' }).sign(privateKey);
}

export interface HostileProvider {
  readonly metadata: (issuer: string) => Readonly<Record<string, unknown>>;
  /** The response of its token endpoint. */
  readonly tokens: (issuer: string) => Promise<Readonly<Record<string, unknown>>>;
  readonly userinfo?: Readonly<Record<string, unknown>>;
  /** What was asked of it, with the fields of a body. */
  readonly asked: { readonly path: string; readonly authorization: string; readonly body: string }[];
}

export function metadataOf(issuer: string): Readonly<Record<string, unknown>> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/keys`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    authorization_response_iss_parameter_supported: true,
  };
}

export function hostileProvider(hostile: HostileProvider): (issuer: string) => RequestListener {
  return (issuer) => (request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const path = request.url ?? '';
      const authorization = request.headers.authorization ?? '';
      hostile.asked.push({ path, authorization, body: Buffer.concat(pieces).toString() });
      void respond(hostile, issuer, { path, response });
    });
  };
}

async function respond(
  { metadata, tokens, userinfo }: HostileProvider,
  issuer: string,
  { path, response }: { readonly path: string; readonly response: ServerResponse },
): Promise<void> {
  const send = (value: unknown): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };
  if (path === '/.well-known/openid-configuration') send(metadata(issuer));
  else if (path === '/keys') send({ keys: [providerJwk] });
  else if (path === '/token') send(await tokens(issuer));
  else if (path === '/userinfo') send(userinfo ?? {});
  else response.writeHead(404).end();
}
