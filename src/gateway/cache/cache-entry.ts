// What the cache knows of an archive: for what request it is, what was promised of it, and by which octets that was kept.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { HeaderField } from '../../http/header-list.ts';
import { HeaderList } from '../../http/header-list.ts';
import { freshnessSchema } from './metadata-freshness.ts';

/** What a request has to have in common with another one to be served by what that fetched. */
export interface ArchiveKey {
  readonly registry: string;
  /** Where the registry is that promises it, as a URL. */
  readonly root: string;
  readonly name: string;
  readonly version?: string | undefined;
  readonly file?: string | undefined;
  /** From where it came: origin and path. */
  readonly url: string;
  /** What the rule opens to reach it: private networks and pinned trust, by name. */
  readonly reach: readonly string[];
  /** Where nothing is shared between principals. */
  readonly principal?: string | undefined;
  /** Of metadata: the form that is asked for. */
  readonly accept?: string | undefined;
}

const fieldSchema = z.tuple([z.string().max(64), z.string().max(1024)]);
const entrySchema = z.strictObject({
  v: z.literal(1),
  key: z.string().max(16_384),
  registry: z.string().max(32),
  name: z.string().max(1024),
  version: z.string().max(1024).optional(),
  promised: z.string().regex(/^sha\d{1,3}-[A-Za-z0-9+/]{20,100}={0,2}$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().nonnegative(),
  fields: z.array(fieldSchema).max(16),
  storedMs: z.number().nonnegative(),
  /** Of metadata, which changes: until when it holds, and how the registry is asked. */
  freshness: freshnessSchema.optional(),
});

export type CacheEntry = Readonly<Omit<z.infer<typeof entrySchema>, 'v'>>;

export function keyText(key: ArchiveKey): string {
  const { registry, root, name, version = '', file = '', url, reach, principal, accept } = key;
  const parts = [registry, root, name, version, file, url, reach, principal ?? null];
  return JSON.stringify(accept === undefined ? parts : [...parts, accept]);
}

/** The name of the file that has the entry of a key. */
export function entryName(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

export function encodeEntry(entry: CacheEntry): string {
  return `${JSON.stringify({ v: 1, ...entry })}\n`;
}

/** Undefined for what is no entry, or one of another form. */
export function readEntry(text: string): CacheEntry | undefined {
  try {
    const { success, data } = entrySchema.safeParse(JSON.parse(text));
    if (!success) return undefined;
    const { v: _, ...entry } = data;
    return entry;
  } catch {
    return undefined;
  }
}

/** Fields that say something of the archive, whoever asks for it. Cookies and what is of one response are not among them. */
const keptFields: ReadonlySet<string> = new Set([
  'cache-control',
  'content-disposition',
  'content-type',
  'date',
  'docker-content-digest',
  'etag',
  'last-modified',
]);

/** What is kept of the head of a response. */
export function keptHead(headers: HeaderList): readonly HeaderField[] {
  return Array.from(headers.filter((name) => keptFields.has(name))).filter(
    ([name, value]) => !headers.isRepeated(name) && value.length <= 1024 && /^[\x20-\x7e]*$/.test(value),
  );
}
