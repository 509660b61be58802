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
  confined: z.boolean().exactOptional(),
  tokenInContainer: z.boolean().exactOptional(),
  uid: z.int().min(0),
  notes: z.array(line).max(64),
}) satisfies z.ZodType<Posture>;

export const agentSchema = z.object({
  version: line,
  // Printable ASCII without spaces: an operator's line shows it as it is.
  session: z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/)
    .exactOptional(),
});

// A session that enrols was made by no other one, so its posture does not say how it is confined; and it has an agent.
const enrolSchema = z.object({
  key: publicKeySchema,
  posture: postureSchema.omit({ confined: true, tokenInContainer: true }),
  agent: agentSchema,
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
  throw malformedBody('The body of the enrolment', parsed.error);
}

/** Names the first wrong member, never its value. */
export function malformedBody(what: string, error: z.ZodError): ProxyError {
  const path = error.issues[0]?.path.join('.');
  const where =
    path === undefined || path === '' ? 'it is not an object of the right form' : `"${path}" is wrong`;
  return new ProxyError('request_malformed', `${what} is malformed: ${where}.`, { cause: error });
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
  ['tokenInContainer', 'token-in-container'],
] as const satisfies readonly (readonly [keyof Posture, string])[];

/** Names of the facts that are true of a posture, as `Principal.posture` holds them. */
export function postureFacts(posture: Posture): readonly string[] {
  return factNames.filter(([member]) => posture[member]).map(([, name]) => name);
}
