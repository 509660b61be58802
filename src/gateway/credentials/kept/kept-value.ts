// What is kept of a log-in at an authorization server, as it is sealed in the store.

import { z } from 'zod';

/** What a header field takes (RFC 6750 §2.1), as long as servers make them. */
export const tokenText = z.string().regex(/^[\x21-\x7e]{1,16384}$/);

const clientAuthWays = ['basic', 'post', 'none'] as const;

const keySchema = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string().max(64),
  y: z.string().max(64),
  d: z.string().max(64),
});

/** A private key of DPoP (RFC 9449), as a JWK. */
export type ProofJwk = Readonly<z.output<typeof keySchema>>;

export const keptValueSchema = z.object({
  accessToken: tokenText,
  tokenType: z.enum(['Bearer', 'DPoP']),
  refreshToken: tokenText.optional(),
  scope: z.string().max(8192).optional(),
  /** Where the next tokens are asked for: of another server or client in the configuration they are not those of it. */
  tokenUrl: z.string().max(2048),
  revocationUrl: z.string().max(2048).optional(),
  issuer: z.string().max(2048).optional(),
  clientId: z.string().max(2048),
  clientAuth: z.enum(clientAuthWays),
  proofKey: keySchema.optional(),
});

export type KeptValue = Readonly<z.output<typeof keptValueSchema>>;
export type ClientAuthWay = KeptValue['clientAuth'];

/** By which the store names the log-in of a credential. */
export function keptIdOf(credential: string): string {
  return `credential/${credential}`;
}
