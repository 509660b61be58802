// Requests to a registry of images: `/v2/NAME/manifests/REFERENCE`, `/v2/NAME/blobs/DIGEST`, `/v2/NAME/tags/list`.

import {
  encodedSlash,
  hasSlash,
  isRead,
  type PackageReader,
  type PackageRequest,
  segmentsIn,
  unexpectedQuery,
  unknownPath,
  UnreadablePackage,
} from './package-request.ts';
import { digestOfAddress } from './promised-digest.ts';

const nameLengthMax = 255;
const component = /^[a-z0-9]+(?:(?:\.|_|__|-{1,32})[a-z0-9]+)*$/;
const tag = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const digest = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]{32,160}$/;

export const readOci: PackageReader = ({ method, path, query }) => {
  const segments = segmentsIn(path);
  if (segments instanceof UnreadablePackage) return segments;
  if (hasSlash(segments)) return encodedSlash;
  const [first = '', ...rest] = segments;
  // Where clients without a name get their token; it opens nothing that a rule does not.
  if (first === 'token' && rest.length === 0) return { use: isRead(method) ? 'registry' : 'other' };
  if (first !== 'v2') return unknownPath;
  if (rest.length === 0 || (rest.length === 1 && rest[0] === ''))
    return { use: isRead(method) ? 'registry' : 'other' };
  if (rest.length === 1 && rest[0] === '_catalog') return { use: 'search' };
  return ofRepository(method, rest, query);
};

function ofRepository(
  method: string,
  segments: readonly string[],
  query: string,
): PackageRequest | UnreadablePackage {
  const uploads = segments.findIndex(
    (one, i) => one === 'blobs' && ['uploads', 'upload'].includes(segments[i + 1] ?? ''),
  );
  const area = uploads >= 0 ? uploads : segments.length - 2;
  const name = segments.slice(0, Math.max(area, 0)).join('/');
  if (!isImageName(name)) return unknownPath;
  if (uploads >= 0) return ofUpload(method, { name, place: segments.slice(uploads + 2), query });
  const [kind = '', last = ''] = segments.slice(area);
  if (!isRead(method)) return changeOf(method, name, { kind, last, query });
  if (kind === 'tags' && last === 'list') return { use: 'metadata', name };
  if (kind === 'referrers' && digest.test(last)) return { use: 'metadata', name };
  if (query !== '') return unexpectedQuery;
  if (kind === 'manifests' && (tag.test(last) || digest.test(last)))
    return { use: 'archive', name, version: last, ...digestIn(last) };
  if (kind === 'blobs' && digest.test(last)) return { use: 'archive', name, file: last, ...digestIn(last) };
  return unknownPath;
}

function digestIn(reference: string): Pick<PackageRequest, 'digest'> {
  const named = digestOfAddress(reference);
  return named === undefined ? {} : { digest: named };
}

/** A manifest comes with its octets; what is deleted has a name alone. */
function changeOf(
  method: string,
  name: string,
  { kind, last, query }: { readonly kind: string; readonly last: string; readonly query: string },
): PackageRequest {
  const some = { use: 'publish', name } as const;
  const isManifest = kind === 'manifests' && (tag.test(last) || digest.test(last));
  const isBlob = kind === 'blobs' && digest.test(last);
  if (query !== '' || !(isManifest || isBlob)) return some;
  if (method === 'DELETE')
    return {
      ...some,
      operation: 'unpublish',
      ...(isManifest ? { version: last } : {}),
      ...digestIn(last),
    };
  if (method !== 'PUT' || !isManifest) return some;
  return { ...some, operation: 'publish', version: last, bodySays: true, ...digestIn(last) };
}

interface Upload {
  readonly name: string;
  /** Behind the address of uploads. */
  readonly place: readonly string[];
  readonly query: string;
}

/** How an upload begins, goes on and ends: with its digest and what the registry itself put into the address. */
function ofUpload(method: string, { name, place, query }: Upload): PackageRequest | UnreadablePackage {
  const some = { use: 'publish', name } as const;
  const said = parametersOf(query);
  if (said === undefined) return unexpectedQuery;
  const [from, mount, ended] = [said.get('from'), said.get('mount'), said.get('digest')];
  if (from !== undefined || mount !== undefined) {
    // Without a source any repository would do that the credential may read.
    const isMount = from !== undefined && isImageName(from) && digest.test(mount ?? '') && said.size === 2;
    if (!isMount || method !== 'POST') return unexpectedQuery;
    return { ...some, operation: 'publish', from, ...digestIn(mount ?? '') };
  }
  const isBegun = place.length === 1 && place[0] !== '';
  const isKnown = method === 'POST' ? !isBegun && place.length <= 1 : isBegun;
  const isPlain = said.keys().every((key) => /^(?:digest|state|_[a-z]+)$/.test(key));
  if (!isKnown || !isPlain || !uploadMethods.has(method)) return some;
  return { ...some, operation: 'publish', ...digestIn(ended ?? '') };
}

const uploadMethods: ReadonlySet<string> = new Set(['POST', 'PATCH', 'PUT', 'GET', 'HEAD', 'DELETE']);

/** Undefined: servers could read them in more than one way. */
function parametersOf(query: string): ReadonlyMap<string, string> | undefined {
  const found = new Map<string, string>();
  const parts = query === '' ? [] : query.slice(1).split('&');
  for (const part of parts) {
    // Such a name has nothing that is encoded, and stands once in whatever letters.
    const [, key = '', value = ''] = /^([A-Za-z0-9_.-]+)=([^&=]*)=*$/.exec(part) ?? [];
    const lower = key.toLowerCase();
    if (key === '' || found.has(lower) || (lower !== key && lower !== '_state')) return undefined;
    found.set(
      lower,
      value.replaceAll(/%(2[Ff]|3[Aa])/g, (_, hex: string) => (hex.startsWith('2') ? '/' : ':')),
    );
  }
  return found;
}

export function isImageName(name: string): boolean {
  return name.length <= nameLengthMax && name.split('/').every((one) => component.test(one));
}
