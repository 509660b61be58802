// An issuer of tokens as a CI system has one for its jobs.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';

import { exportJWK, SignJWT } from 'jose';

interface TokenIssuer {
  /** Its metadata and keys; `/token` gives a token as a CI system makes them for its jobs. */
  readonly handler: RequestListener;
  token(subject: string): Promise<string>;
}

export async function jobTokenIssuer(): Promise<TokenIssuer> {
  const issuer = 'https://issuer.example.com';
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  const token = (subject: string): Promise<string> =>
    new SignJWT({ repository: 'acme/shop', ref: 'refs/heads/main' })
      .setProtectedHeader({ alg: 'ES256', kid: 'one', typ: 'JWT' })
      .setIssuer(issuer)
      .setAudience('upstreamproxy')
      .setSubject(subject)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);
  const handler: RequestListener = (request, response) => {
    const send = (value: unknown): void => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (request.url === '/keys') send({ keys: [key] });
    else if (request.url?.startsWith('/token') !== true) send({ issuer, jwks_uri: `${issuer}/keys` });
    else
      token('repo:acme/shop:ref:refs/heads/main').then(
        (value) => send({ value }),
        () => response.destroy(),
      );
  };
  return { handler, token };
}
