// An identity as text, which is all secret: it is sealed before it goes anywhere.

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { AuthorityName, DocumentAuthority, IdentityDocument } from './identity-document.ts';

const key = z.base64();
const authoritySchema = z.strictObject({
  key,
  certificates: z.array(z.string()).min(1),
  next: z.strictObject({ key, certificate: z.string(), madeMs: z.number() }).optional(),
  requested: key.optional(),
});
const identitySchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  signingKey: z.strictObject({
    key,
    next: z.strictObject({ key, madeMs: z.number() }).optional(),
    old: key.optional(),
  }),
  authorities: z.strictObject({
    interception: authoritySchema,
    server: authoritySchema,
    peers: authoritySchema,
  } satisfies Record<AuthorityName, unknown>),
  port: z.strictObject({ certificatePem: z.string().min(1), key }).optional(),
});

/** How long the text is says nothing of what is in it. */
const blockBytes = 4096;

export function identityText({ id, signingKey, authorities, port }: IdentityDocument): Uint8Array {
  const { key: current, next, old } = signingKey;
  const { interception, server, peers } = authorities;
  const text = JSON.stringify({
    id,
    signingKey: {
      key: privateText(current),
      ...(next === undefined ? {} : { next: { key: privateText(next.key), madeMs: next.madeMs } }),
      ...(old === undefined ? {} : { old: old.export({ type: 'spki', format: 'der' }).toString('base64') }),
    },
    authorities: {
      interception: authorityText(interception),
      server: authorityText(server),
      peers: authorityText(peers),
    },
    ...(port === undefined ? {} : { port: { ...port, key: privateText(port.key) } }),
  });
  return Buffer.from(text.padEnd(Math.ceil(text.length / blockBytes) * blockBytes));
}

/** Undefined for anything that `identityText` does not give; no error, since it could have a piece of the text. */
export function identityOfText(text: Uint8Array): IdentityDocument | undefined {
  try {
    const { id, signingKey, authorities, port } = identitySchema.parse(
      JSON.parse(Buffer.from(text).toString()),
    );
    const { next, old } = signingKey;
    return {
      id,
      signingKey: {
        key: privateKeyOf(signingKey.key),
        ...(next === undefined ? {} : { next: { key: privateKeyOf(next.key), madeMs: next.madeMs } }),
        ...(old === undefined
          ? {}
          : { old: createPublicKey({ key: Buffer.from(old, 'base64'), type: 'spki', format: 'der' }) }),
      },
      authorities: {
        interception: authorityOfText(authorities.interception),
        server: authorityOfText(authorities.server),
        peers: authorityOfText(authorities.peers),
      },
      ...(port === undefined ? {} : { port: { ...port, key: privateKeyOf(port.key) } }),
    };
  } catch {
    return undefined;
  }
}

function authorityText({ key: current, certificates, next, requested }: DocumentAuthority): object {
  return {
    key: privateText(current),
    certificates,
    ...(next === undefined ? {} : { next: { ...next, key: privateText(next.key) } }),
    ...(requested === undefined ? {} : { requested: privateText(requested) }),
  };
}

function authorityOfText({
  key: current,
  certificates,
  next,
  requested,
}: z.infer<typeof authoritySchema>): DocumentAuthority {
  return {
    key: privateKeyOf(current),
    certificates,
    ...(next === undefined ? {} : { next: { ...next, key: privateKeyOf(next.key) } }),
    ...(requested === undefined ? {} : { requested: privateKeyOf(requested) }),
  };
}

function privateText(one: KeyObject): string {
  return one.export({ type: 'pkcs8', format: 'der' }).toString('base64');
}

function privateKeyOf(text: string): KeyObject {
  return createPrivateKey({ key: Buffer.from(text, 'base64'), type: 'pkcs8', format: 'der' });
}
