// What a head of HTTP/1.x asks of its connection, before it is validated.

import { listMembers } from '../../http/field-syntax.ts';
import { HeaderList } from '../../http/header-list.ts';
import type { ParsedRequest } from '../../http/request-parser.ts';
import { ProxyError } from '../../protocol/error.ts';
import { http } from '../../system/http-module.ts';

const knownMethods: ReadonlySet<string> = new Set(http.METHODS);

/** Why a request cannot be an exchange of its connection. */
export function refusalOf({ method, httpVersion }: ParsedRequest): ProxyError | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    return new ProxyError('request_malformed', `HTTP/${httpVersion} is not spoken on this connection`);
  // Servers made with llhttp take a request with any other one for no HTTP, so that nobody could tell it from smuggled octets.
  if (!knownMethods.has(method))
    return new ProxyError('request_malformed', 'the request is not valid HTTP: no server knows its method');
  if (method !== 'CONNECT') return undefined;
  return new ProxyError('request_malformed', 'CONNECT is not served inside a connection; open a new one');
}

/** Whether it asks to switch to WebSocket. */
export function opensWebSocket({ raw, httpVersion }: ParsedRequest): boolean {
  if (httpVersion !== '1.1') return false;
  const fields = HeaderList.fromRaw(raw);
  const offered = listMembers(fields, 'upgrade');
  if (offered.length !== 1 || offered[0] !== 'websocket') return false;
  return listMembers(fields, 'connection').includes('upgrade');
}

/** Of a client that ends its side there. */
export function brokenOff(): ProxyError {
  return new ProxyError('request_malformed', 'the request is not valid HTTP: it ends inside of its head');
}
