// What a gateway that starts while the store is away is handed by another one: a line of JSON each. Members that are not known are passed
// over: the next version may say more. What limits a grant is never passed over.

import { z } from 'zod';
import { defaultLimits } from '../../protocol/limits.ts';
import type { AccessRecord, AccessTerms } from '../../store/access-store.ts';
import type { PolicyVersion } from '../../store/policy-store.ts';
import { endingSchema } from './change-lines.ts';

const count = z.int().nonnegative();
const name = z.string().min(1).max(4096);
/** A schema for each member, also for those that may be absent: none is lost on the way. */
type Members<T> = { readonly [Name in keyof T]-?: z.ZodType<T[Name]> };

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
} satisfies Members<PolicyVersion>) satisfies z.ZodType<PolicyVersion>;
const termsSchema = z.strictObject({
  scope: z.enum(['host', 'path', 'exact']),
  subject: z.enum(['session', 'principal']),
  refs: z.array(z.string()).readonly().exactOptional(),
  endsMs: z.number(),
} satisfies Members<AccessTerms>) satisfies z.ZodType<AccessTerms>;
const requestMembers = {
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
} satisfies Members<Omit<AccessRecord, 'terms'>>;
/** Terms that are not understood are null: the grant opens nothing, and the others are taken. */
const readTerms = z.union([termsSchema, z.unknown().transform(() => null)]);
const grantSchema = z
  .object({ ...requestMembers, terms: readTerms.optional(), refsTerms: readTerms.optional() })
  .transform(({ terms, refsTerms, ...request }): AccessRecord => {
    const read = refsTerms === undefined ? terms : refsTerms;
    return read === undefined || read === null ? request : { ...request, terms: read };
  });

/**
 * A grant as a line has it. The terms of one for refs have a name of their own: a program that knows no refs takes it for one without
 * terms, which opens nothing, and not for one that opens everything. So has to be handed over whatever else may limit a grant later.
 */
export function handedGrant(record: AccessRecord): HandedGrant {
  const { terms, ...request } = record;
  if (terms === undefined) return request;
  const { refs, ...plain } = terms;
  return refs === undefined ? { ...request, terms: plain } : { ...request, refsTerms: terms };
}

type HandedGrant = Omit<AccessRecord, 'terms'> & {
  readonly terms?: Omit<AccessTerms, 'refs'> & { readonly refs?: never };
  readonly refsTerms?: AccessTerms;
};

/** How many of each there were, and how many pieces of files. */
const counts = { endings: count, policies: count, files: count, grants: count };
/** None of something is told only by who knows that there is none. */
const known = { hasPolicies: z.boolean().optional(), hasGrants: z.boolean().optional() };

/** Its later lines, where all was asked for; one with the counts is the last. */
export const handedSchema = z.union([
  z.object({ identity: z.object({ version: z.int().min(1), sealed: z.string() }) }),
  z.object({ endings: z.array(endingSchema).max(1000) }),
  z.object({ policy: policySchema }),
  /** Of the hash that a policy names, in their order; a long one in pieces, one behind the other. */
  z.object({ file: z.object({ hash: name, name: z.string(), data: z.base64() }) }),
  z.object({ grants: z.array(grantSchema).max(1000) }),
  z.object({ end: z.object({ ...counts, ...known }) }),
]);

export type PeerPlaceLine = z.infer<typeof placeSchema>;
export type NoPlace = Extract<PeerPlaceLine, { readonly none: string }>;
export type StartPlace = Exclude<PeerPlaceLine, NoPlace>;
export type HandedLine =
  | Exclude<z.input<typeof handedSchema>, { readonly grants: unknown }>
  | { readonly grants: readonly HandedGrant[] };
export type HandedCounts = Readonly<Record<keyof typeof counts, number>>;
