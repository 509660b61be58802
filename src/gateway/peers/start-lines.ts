// What a gateway that starts while the store is away is handed by another one: a line of JSON each. Members that are not known are passed
// over: the next version may say more.

import { z } from 'zod';
import { defaultLimits } from '../../protocol/limits.ts';
import type { AccessRecord } from '../../store/access-store.ts';
import type { PolicyVersion } from '../../store/policy-store.ts';
import { endingSchema } from './change-lines.ts';

const count = z.int().nonnegative();
const name = z.string().min(1).max(4096);

/** What is asked for: where the other one is, all of it, or what is in force without what ended. */
export const wantedSchema = z.object({ want: z.enum(['place', 'all', 'facts']) });

const at = { history: z.string().max(200), number: count };

/** The first line of who is asked. */
export const placeSchema = z.union([
  z.object({
    none: z.string().max(1000),
    /** It may say how far it is in a moment. */
    isPassing: z.boolean().optional(),
    /** How far it is all the same, where it knows that. */
    at: z.object(at).optional(),
  }),
  z.object({
    ...at,
    /** For how long its store has been away; absent while it is there. */
    awayMs: z.number().nonnegative().optional(),
    /** How long it keeps what ended. */
    keptMs: z.number().nonnegative(),
    /** Others that it knows: what each is called, and where it is. */
    peers: z.array(z.tuple([z.string().regex(/^[0-9a-f]{32}$/), name])).max(defaultLimits.peersKnownMax),
  }),
]);

const bindingSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const policySchema = z.object({
  policy: name,
  version: name,
  number: count,
  hash: name,
  isWithdrawn: z.boolean(),
  binding: bindingSchema.exactOptional(),
  publishedMs: z.number(),
  publishedBy: z.string(),
  note: z.string().exactOptional(),
  backTo: count.exactOptional(),
  damaged: z.enum(['binding', 'back_to']).exactOptional(),
}) satisfies z.ZodType<PolicyVersion>;
const grantSchema = z.object({
  id: name,
  sessionId: name,
  principalId: name,
  scheme: z.enum(['http', 'https']),
  host: name,
  port: z.int().min(1).max(65_535),
  method: z.string().exactOptional(),
  path: z.string().exactOptional(),
  reason: z.string(),
  traceId: z.string().exactOptional(),
  createdMs: z.number(),
  pendingUntilMs: z.number(),
  state: z.enum(['pending', 'granted', 'denied', 'revoked', 'ended']),
  decidedMs: z.number().exactOptional(),
  note: z.string().exactOptional(),
  terms: z
    .object({
      scope: z.enum(['host', 'path', 'exact']),
      subject: z.enum(['session', 'principal']),
      endsMs: z.number(),
    })
    .exactOptional(),
}) satisfies z.ZodType<AccessRecord>;

/** How many of each there were. */
const counts = { endings: count, policies: count, files: count, grants: count };
/** None of something is told only by who knows that there is none. */
const known = { hasPolicies: z.boolean().optional(), hasGrants: z.boolean().optional() };

/** Its later lines, where all was asked for; one with the counts is the last. */
export const handedSchema = z.union([
  z.object({ identity: z.object({ version: z.int().min(1), sealed: z.string() }) }),
  z.object({ endings: z.array(endingSchema).max(1000) }),
  z.object({ policy: policySchema }),
  /** Of the hash that a policy names, in their order. */
  z.object({ file: z.object({ hash: name, name: z.string(), data: z.base64() }) }),
  z.object({ grants: z.array(grantSchema).max(1000) }),
  z.object({ end: z.object({ ...counts, ...known }) }),
]);

export type PeerPlaceLine = z.infer<typeof placeSchema>;
export type NoPlace = Extract<PeerPlaceLine, { readonly none: string }>;
export type StartPlace = Exclude<PeerPlaceLine, NoPlace>;
export type HandedLine = z.input<typeof handedSchema>;
export type HandedCounts = Readonly<Record<keyof typeof counts, number>>;
