// Whether what a registry tells may be kept, how long it is fresh, and how the registry is asked whether it changed (RFC 9111). The arithmetic is
// that of http-cache-semantics. What that reads in another way than the RFC, or than other caches, is taken out of its sight here.

import CachePolicy from 'http-cache-semantics';
import { z } from 'zod';
import { type HeaderField, HeaderList } from '../../http/header-list.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** What a request says, as far as a stored response is compared with it. */
export interface AskedForm {
  readonly url: string;
  readonly accept: string;
  /** Of the client. */
  readonly cacheControl: string;
}

const fieldsSchema = z.record(z.string().max(64), z.string().max(1024));
const directivesSchema = z.record(z.string().max(1024), z.union([z.string().max(1024), z.literal(true)]));

export const freshnessSchema = z.strictObject({
  v: z.literal(1),
  t: z.number().nonnegative(),
  sh: z.literal(true),
  ch: z.literal(0),
  imm: z.literal(0),
  icc: z.literal(false),
  st: z.literal(200),
  resh: fieldsSchema,
  rescc: directivesSchema,
  m: z.literal('GET'),
  u: z.string().max(16_384),
  h: z.string().max(512),
  a: z.literal(true),
  reqh: fieldsSchema.nullable(),
  reqcc: directivesSchema,
});

export type StoredFreshness = z.infer<typeof freshnessSchema>;

/** Fields of a stored response. Cookies, and what is of one response alone, are not among them. */
const keptFields: ReadonlySet<string> = new Set([
  'age',
  'cache-control',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'pragma',
  'vary',
]);

/** Fields that no request has that comes here, that are part of the key, or that are the same for all. */
const sameForAll: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'cookie',
  'origin',
]);

export class Freshness {
  readonly #policy: CachePolicy;
  readonly stored: StoredFreshness;

  constructor(stored: StoredFreshness, clock: () => number) {
    this.stored = stored;
    // The library's own type says of directives that all have values.
    const policy = CachePolicy.fromObject(stored as CachePolicy.CachePolicyObject);
    this.#policy = Object.assign(policy, { now: clock });
  }

  /** Undefined: it is not for others, or not what can be compared with another one. */
  static of(form: AskedForm, headers: HeaderList, clock: () => number): Freshness | undefined {
    if (!isForAll(headers)) return undefined;
    const fields = keptFieldsOf(headers);
    if (fields === undefined) return undefined;
    const request = { url: form.url, method: 'GET', headers: { host: '', accept: form.accept } };
    const options = { shared: true, cacheHeuristic: 0, immutableMinTimeToLive: 0 };
    const policy = new CachePolicy(request, { status: 200, headers: fields }, options);
    if (!policy.storable()) return undefined;
    const told: unknown = { ...policy.toObject(), icc: false, t: clock() };
    const { success, data } = freshnessSchema.safeParse(told);
    return success ? new Freshness(data, clock) : undefined;
  }

  /** When the registry said it last. */
  get toldMs(): number {
    return this.stored.t;
  }

  get ageSeconds(): number {
    return Math.max(0, Math.floor(this.#policy.age()));
  }

  /** Without asking, and as this request wants it. */
  isFresh({ url, accept, cacheControl }: AskedForm, nowMs: number): boolean {
    if (this.#isBeyond(nowMs, defaultLimits.cacheMetadataFreshMs)) return false;
    const headers = { host: '', accept, 'cache-control': narrowed(cacheControl) };
    return this.#policy.satisfiesWithoutRevalidation({ url, method: 'GET', headers });
  }

  /** Where the registry cannot be asked (RFC 9111 §4.2.4). What it says that forbids it, forbids it. */
  mayBeStale(nowMs: number): boolean {
    const said = this.stored.resh['cache-control'] ?? '';
    return !mustBeAsked.test(said) && !this.#isBeyond(nowMs, defaultLimits.cacheMetadataStaleMs);
  }

  /** A clock that was set back makes nothing younger. */
  #isBeyond(nowMs: number, ms: number): boolean {
    const sinceMs = nowMs - this.toldMs;
    return sinceMs < -1000 || sinceMs > ms;
  }

  /** The fields of a question whether it changed. */
  get validators(): readonly HeaderField[] {
    const { etag, 'last-modified': lastModified } = this.stored.resh;
    if (etag !== undefined) return [['if-none-match', etag]];
    return lastModified === undefined ? [] : [['if-modified-since', lastModified]];
  }

  /** After a 304 (RFC 9111 §4.3.4). Undefined: that is about another one, or this may not be kept any more. */
  revalidated(form: AskedForm, headers: HeaderList, clock: () => number): Freshness | undefined {
    const fields = keptFieldsOf(headers);
    if (fields === undefined || !isForAll(headers)) return undefined;
    const request = { url: form.url, method: 'GET', headers: { host: '', accept: form.accept } };
    const { matches } = this.#policy.revalidatedPolicy(request, { status: 304, headers: fields }) as {
      // The library's own type leaves it out.
      readonly matches?: boolean;
    };
    if (matches !== true) return undefined;
    const { age: _, ...before } = this.stored.resh;
    // Of what is kept the type is as it came.
    const { 'content-type': __, ...now } = fields;
    return Freshness.of(form, HeaderList.of(Object.entries({ ...before, ...now })), clock);
  }
}

const mustBeAsked = /\b(?:no-cache|must-revalidate|proxy-revalidate|s-maxage)\b/;

/** Storable by a cache that is shared, in whichever way caches read what it says. */
function isForAll(headers: HeaderList): boolean {
  const said = headers.all('cache-control').join(',').toLowerCase();
  if (/\b(?:no-store|private)\b/.test(said) || headers.has('set-cookie') || headers.has('content-range'))
    return false;
  // RFC 9111 §4.2.1: of two, none is to be believed.
  for (const name of ['max-age', 's-maxage'])
    if (said.split(',').filter((one) => one.trim().startsWith(name)).length > 1) return false;
  return headers
    .all('vary')
    .flatMap((names) => names.split(','))
    .every((name) => name.trim() === '' || sameForAll.has(name.trim().toLowerCase()));
}

/** Undefined: one of them is said twice, or is nothing that a field says. */
function keptFieldsOf(headers: HeaderList): Record<string, string> | undefined {
  const fields: Record<string, string> = {};
  for (const name of keptFields) {
    const values = headers.all(name);
    if (values.length === 0) continue;
    const isList = name === 'cache-control' || name === 'vary' || name === 'pragma';
    const value = values.join(', ');
    if ((values.length > 1 && !isList) || value.length > 1024 || !/^[\x20-\x7e]*$/.test(value))
      return undefined;
    // Directives are the same in capitals (RFC 9111 §5.2), which the library does not know.
    fields[name] = isList ? value.toLowerCase() : value;
  }
  return fields;
}

/** What a client may ask for without being asked. It would take what is stale, or nothing that is not here, only if others agreed. */
function narrowed(cacheControl: string): string {
  return cacheControl
    .toLowerCase()
    .split(',')
    .map((one) => one.trim())
    .filter((one) => /^(?:no-cache|(?:max-age|min-fresh)="?\d{1,10}"?)$/.test(one))
    .join(', ');
}
