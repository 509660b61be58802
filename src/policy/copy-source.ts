// What a copy source names, as requests that would read it: in the form that its service has for buckets and keys.

import { parseAuthority } from '../http/authority.ts';
import type { Destination } from '../http/destination.ts';
import { HeaderList } from '../http/header-list.ts';
import type { OtherResource } from '../http/request-field-table.ts';
import { canonicalTarget, parseAbsoluteTarget } from '../http/request-target.ts';
import type { RequestAccess } from './decision.ts';

/** The requests that the field stands for; each has to be allowed. Undefined: the form is not known. */
export function otherResource(
  value: string,
  { form, method }: OtherResource,
  access: RequestAccess,
): readonly RequestAccess[] | undefined {
  try {
    switch (form) {
      case 'bucket':
        return inBucket(value, access, method);
      case 'url':
        return byUrl(value, access, method);
      case 'filesystem':
        return [at(access, access.destination, absolutePath(value), method)];
      case 'path-or-url':
        return value.startsWith('/') && !value.startsWith('//')
          ? [at(access, access.destination, value, method)]
          : byUrl(value, access, method);
    }
  } catch {
    // No host or no path that could be requested.
    return undefined;
  }
}

function at(access: RequestAccess, destination: Destination, target: string, method: string): RequestAccess {
  const { path, query } = canonicalTarget(target);
  return { depth: 'request', destination, method, path, query, headers: new HeaderList() };
}

/** Of Tencent's store the value is `BUCKET.cos.REGION.myqcloud.com/KEY`, without a scheme. */
function byUrl(value: string, access: RequestAccess, method: string): readonly RequestAccess[] | undefined {
  const { scheme } = access.destination;
  const absolute = parseAbsoluteTarget(
    /^[A-Za-z][A-Za-z0-9+.-]{0,20}:/.test(value) ? value : `${scheme}://${value}`,
  );
  if (absolute === undefined || absolute.destination.scheme !== scheme) return undefined;
  return [at(access, absolute.destination, absolute.target === '' ? '/' : absolute.target, method)];
}

/** `/BUCKET/KEY` or `BUCKET/KEY`, with the key encoded once, and `?versionId=` behind it. */
function inBucket(
  value: string,
  access: RequestAccess,
  method: string,
): readonly RequestAccess[] | undefined {
  const target = absolutePath(value);
  const end = target.indexOf('/', 1);
  const name = target.slice(1, end);
  const { destination } = access;
  const labels = destination.host.split('.');
  const service = labels.findIndex((label) => isStore(label));
  // Neither an access point (`arn:…`) nor a host that does not say where its buckets stand.
  if (end < 0 || service < 0 || !isBucketName(name)) return undefined;
  const base = labels.slice(service).join('.');
  const inPath = at(access, { ...destination, host: base }, target, method);
  const { host } = parseAuthority(`${name}.${base}`, { defaultPort: destination.port });
  const inHost = at(access, { ...destination, host }, target.slice(end), method);
  // The request's own form has to be allowed; the other one must not be denied, which is what is asked of the second.
  return service === 0 ? [inPath, inHost] : [inHost, inPath];
}

const storeLabels: ReadonlySet<string> = new Set(['s3', 's3express', 'storage', 'obs', 'minio', 'objects']);

/** `s3`, `s3-eu-west-1`, `oss-cn-hangzhou`, `storage` of Google, `obs` … */
function isStore(label: string): boolean {
  return storeLabels.has(label) || ['s3-', 'oss-', 'tos-', 'ks3-'].some((prefix) => label.startsWith(prefix));
}

function isBucketName(name: string): boolean {
  return name.length <= 63 && /^[a-z0-9][a-z0-9._-]*$/.test(name) && !name.includes('..');
}

function absolutePath(value: string): string {
  return value.startsWith('/') ? value : `/${value}`;
}
