// The body of an enrolment, validated: what the agent says about itself is bounded, and is a claim only.

import { z } from 'zod';
import { ProxyError } from '../../protocol/error.ts';
import type { Posture } from '../../protocol/session-messages.ts';
import { publicKeySchema, type SessionPublicKey } from './dpop-proof.ts';

const line = z.string().max(500);

// Unknown members are dropped, so that a newer agent can say more.
export const postureSchema = z.object({
  runtime: z.enum(['node', 'bun']),
  runtimeVersion: line,
  platform: line,
  nondumpable: z.boolean(),
  execOnly: z.boolean(),
  untraced: z.boolean(),
  coreLimitZero: z.boolean(),
  inspectorClosed: z.boolean(),
  environmentClean: z.boolean(),
  jailed: z.boolean(),
  jailLayers: z.array(line).max(32).exactOptional(),
  networkIsolated: z.boolean().exactOptional(),
  filesHidden: z.boolean().exactOptional(),
  uid: z.int().min(0),
  notes: z.array(line).max(64),
}) satisfies z.ZodType<Posture>;

const enrolSchema = z.object({
  key: publicKeySchema,
  posture: postureSchema,
  // Printable ASCII without spaces: an operator's line shows it as it is.
  agent: z.object({
    version: line,
    session: z
      .string()
      .regex(/^[\x21-\x7e]{1,128}$/)
      .exactOptional(),
  }),
});

export interface ValidEnrolRequest {
  readonly key: SessionPublicKey;
  readonly posture: Posture;
  readonly agent: { readonly version: string; readonly session?: string };
}

/** Throws ProxyError `request_malformed` that names the first wrong member, never its value. */
export function parseEnrolRequest(body: unknown): ValidEnrolRequest {
  const parsed = enrolSchema.safeParse(body);
  if (parsed.success) return parsed.data;
  const path = parsed.error.issues[0]?.path.join('.');
  const where =
    path === undefined || path === '' ? 'it is not an object of the right form' : `"${path}" is wrong`;
  throw new ProxyError('request_malformed', `The body of the enrolment is malformed: ${where}.`, {
    cause: parsed.error,
  });
}

/** The facts as policies name them. */
const factNames = [
  ['nondumpable', 'nondumpable'],
  ['execOnly', 'exec-only'],
  ['untraced', 'untraced'],
  ['coreLimitZero', 'core-limit-zero'],
  ['inspectorClosed', 'inspector-closed'],
  ['environmentClean', 'environment-clean'],
  ['jailed', 'jailed'],
  ['networkIsolated', 'network-isolated'],
  ['filesHidden', 'files-hidden'],
] as const satisfies readonly (readonly [keyof Posture, string])[];

/** Names of the facts that are true of a posture, as `Principal.posture` holds them. */
export function postureFacts(posture: Posture): readonly string[] {
  return factNames.filter(([member]) => posture[member]).map(([, name]) => name);
}
