// A page of what a bucket has (ListObjectsV2). Only what has the form of the names that the cache gives is there.

import { defaultLimits } from '../../protocol/limits.ts';

export interface BucketObject {
  readonly kind: 'object' | 'entry';
  /** Below the prefix, as `objects/…` or `entries/…`. */
  readonly name: string;
  readonly bytes: number;
  readonly storedMs: number;
}

export interface BucketPage {
  readonly objects: readonly BucketObject[];
  /** Where the next page begins; undefined: this is the last. */
  readonly next: string | undefined;
}

const nameForm = /^(object|entrie)s\/[0-9a-f]{64}$/;

export function readPage(xml: string, prefix: string): BucketPage {
  const objects: BucketObject[] = [];
  for (let at = 0; objects.length < defaultLimits.cacheBucketPageObjectsMax;) {
    const from = xml.indexOf('<Contents>', at);
    const to = from === -1 ? -1 : xml.indexOf('</Contents>', from);
    if (to === -1) break;
    const object = objectOf(xml.slice(from, to), prefix);
    if (object !== undefined) objects.push(object);
    at = to;
  }
  const isCut = element(xml, 'IsTruncated') === 'true';
  const token = plain(element(xml, 'NextContinuationToken') ?? '');
  const isToken = token !== '' && token.length <= defaultLimits.cacheBucketTokenCharactersMax;
  return { objects, next: isCut && isToken ? token : undefined };
}

function objectOf(xml: string, prefix: string): BucketObject | undefined {
  const key = plain(element(xml, 'Key') ?? '');
  const name = key.slice(prefix.length);
  const form = nameForm.exec(name);
  const storedMs = Date.parse(element(xml, 'LastModified') ?? '');
  const size = element(xml, 'Size') ?? '';
  if (!key.startsWith(prefix) || form === null || !/^\d{1,15}$/.test(size) || Number.isNaN(storedMs))
    return undefined;
  return { kind: form[1] === 'object' ? 'object' : 'entry', name, bytes: Number(size), storedMs };
}

/** The text of the first one of that name. */
function element(xml: string, name: string): string | undefined {
  const from = xml.indexOf(`<${name}>`);
  if (from === -1) return undefined;
  const begin = from + name.length + 2;
  const to = xml.indexOf(`</${name}>`, begin);
  return to === -1 ? undefined : xml.slice(begin, to);
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function plain(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});/g, (found, what: string) => {
    const known = entities[what];
    if (known !== undefined) return known;
    const point = what.startsWith('#x') ? Number.parseInt(what.slice(2), 16) : Number(what.slice(1));
    return point <= 0x10_ffff ? String.fromCodePoint(point) : found;
  });
}
