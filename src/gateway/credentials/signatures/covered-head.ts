// What of a request's head a signature covers, in the one reading that every server has of it: where readings differ, nothing is signed.

import { cgiName } from '../../../http/header-list.ts';
import type { RequestHead } from '../../../http/message-head.ts';
import { ProxyError } from '../../../protocol/error.ts';

/** Fields that the gateway may change behind a signature, or that belong to the connection: no signature can cover them. */
const changedLater =
  /^(?:accept|accept-.*|a-im|available-dictionary|dictionary-id|if-range|range|request-range|x-ms-range|x-accept-encoding|grpc-accept-encoding|connect-accept-encoding|via|forwarded|x-forwarded-.*|cookie|traceparent|tracestate|host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|keep-alive|http2-settings|proxy-.*)$/;

/** Whether a signature may stand in the field; `name` in lower case. */
export function isLasting(name: string): boolean {
  return !changedLater.test(name);
}

/** Whether a signature may cover the field; `name` in lower case. */
export function isCoverable(name: string): boolean {
  return isLasting(name) && name !== 'signature' && name !== 'signature-input';
}

/** The value of a field that stands once. @throws ProxyError signature_refused */
export function coveredField({ headers }: RequestHead, name: string): string {
  const alike = [...headers].filter(([one]) => cgiName(one) === cgiName(name));
  const [found, ...others] = alike;
  if (found === undefined) throw refused(`the signature covers the field ${name}; send it`);
  if (others.length > 0)
    throw refused(
      `the field ${name} stands more than once, and servers join that in different ways; send it once`,
    );
  if (found[0].toLowerCase() !== name)
    throw refused(`the field ${name} is written with an underscore; write it with a hyphen`);
  const value = found[1].trim();
  if (!/^[\x20-\x7e]*$/.test(value))
    throw refused(`the field ${name} has characters outside of ASCII, which servers read in different ways`);
  return value;
}

/** @throws ProxyError signature_refused for one that some servers write in capitals before they look */
export function coveredMethod({ method }: RequestHead): string {
  if (/^[A-Z]+$/.test(method)) return method;
  throw refused('the signature covers the method, which has to be in capitals alone');
}

/** @throws ProxyError signature_refused for `*`, which is no path */
export function coveredPath({ path }: RequestHead): string {
  if (path.startsWith('/')) return path;
  throw refused('the signature covers the path, and the request has none');
}

/** The head without fields that a signature is to stand in. @throws ProxyError signature_refused where one stands twice */
export function withoutOwnFields(head: RequestHead, names: readonly string[]): RequestHead {
  const own = new Set(names.map(cgiName));
  const seen = new Set<string>();
  for (const [name] of head.headers) {
    const key = cgiName(name);
    if (!own.has(key)) continue;
    if (seen.has(key)) throw refused(`the field ${key} stands more than once; send it once, or not at all`);
    seen.add(key);
  }
  return seen.size === 0 ? head : { ...head, headers: head.headers.withoutAlike(...names) };
}

export function refused(message: string): ProxyError {
  return new ProxyError('signature_refused', message);
}
