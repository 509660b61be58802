// What Vault's HTTP API responds with: https://developer.hashicorp.com/vault/api-docs, the same in OpenBao.

import { z } from 'zod';
import { ProxyError } from '../../../protocol/error.ts';
import { Secret } from '../../../protocol/secret.ts';
import type { ServiceResponse } from '../../forward/service-fetch.ts';

const seconds = z.number().min(0).max(Number.MAX_SAFE_INTEGER);

const secretSchema = z.object({
  lease_id: z
    .string()
    .max(1024)
    .nullish()
    .transform((id) => id ?? ''),
  lease_duration: seconds.nullish().transform((duration) => duration ?? 0),
  renewable: z
    .boolean()
    .nullish()
    .transform((renewable) => renewable ?? false),
  data: z.record(z.string(), z.unknown()),
});
/** KV version 2 wraps the secret: its own data beside that of the version. */
const versionSchema = z.object({
  data: z.record(z.string(), z.unknown()),
  metadata: z.object({ version: z.number() }),
});
const authSchema = z.object({
  auth: z.object({
    client_token: z.string().regex(/^[\x21-\x7e]{1,4096}$/),
    lease_duration: seconds,
    renewable: z.boolean(),
  }),
});
const tokenFactsSchema = z.object({
  data: z.object({ ttl: seconds, creation_ttl: seconds.optional(), renewable: z.boolean().optional() }),
});
const leaseSchema = z.object({ lease_duration: seconds });
const errorSchema = z.object({ errors: z.array(z.string()).min(1) });

export interface VaultAuth {
  readonly token: Secret<string>;
  readonly lifetimeMs: number;
  readonly renewable: boolean;
}

export interface VaultReading {
  readonly fields: ReadonlyMap<string, Secret<unknown>>;
  /** Undefined for a secret that does not end by itself. */
  readonly lease:
    | { readonly id: string; readonly durationMs: number; readonly renewable: boolean }
    | undefined;
}

export function readAuth(response: ServiceResponse): VaultAuth {
  const { auth } = parsed(authSchema, response, 'gave no token');
  return {
    token: new Secret(auth.client_token),
    lifetimeMs: auth.lease_duration * 1000,
    renewable: auth.renewable,
  };
}

/** What a token says about itself; a `leftMs` of 0 means that it has no end. */
export function readTokenFacts(response: ServiceResponse): {
  leftMs: number;
  lifetimeMs: number;
  renewable: boolean;
} {
  const { data } = parsed(tokenFactsSchema, response, 'says nothing about the token');
  const { ttl, creation_ttl: created = ttl, renewable = false } = data;
  return { leftMs: ttl * 1000, lifetimeMs: created * 1000, renewable };
}

export function readLeaseDurationMs(response: ServiceResponse): number {
  return parsed(leaseSchema, response, 'did not renew the lease').lease_duration * 1000;
}

export function readSecret(response: ServiceResponse): VaultReading {
  const {
    lease_id: id,
    lease_duration: duration,
    renewable,
    data,
  } = parsed(secretSchema, response, 'has none');
  const version = versionSchema.safeParse(data);
  const fields = Object.entries(version.success ? version.data.data : data);
  return {
    fields: new Map(fields.map(([name, value]) => [name, new Secret(value)])),
    lease: id === '' ? undefined : { id, durationMs: duration * 1000, renewable },
  };
}

/** Vault's refusal, with its words where they are plain words. */
export function refusal(what: string, { status, text }: ServiceResponse): ProxyError {
  const said = errorSchema.safeParse(jsonOf(text));
  const words = said.success
    ? said.data.errors.flatMap((error) => error.split('\n')).find(isPlain)
    : undefined;
  const reason = words === undefined ? '' : `, ${words.trim().replace(/^\* /, '')}`;
  return new ProxyError('credential_unavailable', `${what} (status ${String(status)}${reason})`);
}

/** Words only: nothing that could be a value which the server repeats. */
function isPlain(text: string): boolean {
  return (
    text.length <= 100 &&
    text
      .trim()
      .split(' ')
      .every((word) => /^(\*|[A-Za-z]{1,16}[,.:;]?)$/.test(word))
  );
}

function parsed<T>(schema: z.ZodType<T>, { text }: ServiceResponse, what: string): T {
  const result = schema.safeParse(jsonOf(text));
  // No cause: what a parser says quotes what it read.
  if (!result.success) throw new ProxyError('credential_unavailable', `the response of Vault ${what}`);
  return result.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
