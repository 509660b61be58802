// Fields that belong to one hop (RFC 9110 §7.6.1) and fields by which a message could be routed elsewhere.

import { ProxyError } from '../protocol/error.ts';
import type { ErrorCode } from '../protocol/error-table.ts';
import { listMembers } from './field-syntax.ts';
import type { HeaderList } from './header-list.ts';
import { printable } from './printable.ts';

const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  // Every `proxy-…` field is one hop's; these two are not named so.
  'proxy',
  'max-forwards',
]);

/** Options of Connection that name no end-to-end field. */
const connectionOptions: ReadonlySet<string> = new Set([
  'close',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'trailers',
  'http2-settings',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
]);

/** Removing one of these changes who asks, for what, or how long the message is. */
const neverListed: ReadonlySet<string> = new Set([
  'authorization',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'etag',
  'expect',
  'host',
  'if-match',
  'if-none-match',
  'if-range',
  'location',
  'origin',
  'range',
  'set-cookie',
  'transfer-encoding',
  'www-authenticate',
]);

const otherRouting: ReadonlySet<string> = new Set([
  'x-rewrite-url',
  'x-host',
  'x-http-host-override',
  'x-real-ip',
]);

/** Claims about the way so far, or a second path or host: to some origins they outrank what policy judged. */
function isRouting(name: string): boolean {
  return (
    name === 'forwarded' ||
    name.startsWith('x-forwarded-') ||
    name.startsWith('x-original-') ||
    otherRouting.has(name)
  );
}

/** Request fields that say nothing of a hop or a way, and are most of those that there are. */
const plainRequestFields: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-type',
  'cookie',
  'if-modified-since',
  'if-none-match',
  'origin',
  'pragma',
  'range',
  'referer',
  'user-agent',
]);

type Keeps = (lowerCaseName: string) => boolean;

/**
 * Which fields of a message are end-to-end: no hop-by-hop fields, no `proxy-…` fields and nothing that Connection lists.
 * A Connection that lists a field which decides meaning throws `code`.
 */
export function endToEnd(fields: HeaderList, code: ErrorCode): Keeps {
  const options = listMembers(fields, 'connection');
  // Most messages list nothing, or what names no field.
  if (options.every((option) => connectionOptions.has(option))) return isEndToEnd;
  const listed = options.filter((option) => !connectionOptions.has(option));
  for (const option of listed) {
    if (neverListed.has(option) || option.startsWith('sec-') || option.startsWith('x-amz-')) {
      throw new ProxyError(
        code,
        `Connection lists ${printable(option)}, a field that is not one hop's to remove.`,
      );
    }
  }
  const alsoHopByHop = new Set(listed);
  return (name) => isEndToEnd(name) && !alsoHopByHop.has(name);
}

/** As `endToEnd` of a request, and no field that claims another host, path or way (dashes and underscores alike). */
export function forwardable(fields: HeaderList): Keeps {
  const isKept = endToEnd(fields, 'request_malformed');
  if (isKept === isEndToEnd) return isForwardable;
  return (name) => isKept(name) && isForwardable(name);
}

function isEndToEnd(name: string): boolean {
  return !hopByHop.has(name) && !name.startsWith('proxy-');
}

/** Whether a request field may go on at all, by its name in lower case. */
export function isForwardable(name: string): boolean {
  if (plainRequestFields.has(name)) return true;
  return isEndToEnd(name) && !isRouting(name.includes('_') ? name.replaceAll('_', '-') : name);
}
