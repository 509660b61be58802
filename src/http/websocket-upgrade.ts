// Whether a request opens a WebSocket (RFC 6455 §4.1, RFC 8441): the one upgrade that is kept.

import { ProxyError } from '../protocol/error.ts';
import { listMembers } from './field-syntax.ts';
import type { HeaderList } from './header-list.ts';
import type { RequestHead } from './message-head.ts';

export interface UpgradeInput {
  readonly method: string;
  readonly fields: HeaderList;
  readonly httpVersion: RequestHead['httpVersion'];
  /** `:protocol` of an extended CONNECT. */
  readonly protocol: string | undefined;
}

/**
 * `websocket` for a well-formed opening handshake. Every other Upgrade, also a list that has websocket among others,
 * is undefined: the field is dropped and the request goes on as plain HTTP. Throws `request_malformed` for a
 * handshake that says websocket and breaks RFC 6455, `upgrade_required` for one of another version.
 */
export function websocketUpgrade({
  method,
  fields,
  httpVersion,
  protocol,
}: UpgradeInput): 'websocket' | undefined {
  if (httpVersion === '2') {
    if (protocol === undefined) return undefined;
    // There 426 has no fields to say which version it wants (RFC 9113 §8.2.2).
    if (fields.first('sec-websocket-version') !== '13') throw malformed('Sec-WebSocket-Version has to be 13');
    return 'websocket';
  }
  const offered = listMembers(fields, 'upgrade');
  const isWebsocket = offered.length === 1 && offered[0] === 'websocket';
  if (!isWebsocket || !listMembers(fields, 'connection').includes('upgrade')) return undefined;
  if (httpVersion !== '1.1' || method !== 'GET') throw malformed('it has to be a GET of HTTP/1.1');
  requireVersion(fields);
  // 16 bytes in base64: 22 characters and the padding.
  if (!/^[A-Za-z0-9+/]{22}==$/.test(fields.first('sec-websocket-key') ?? '')) {
    throw malformed('Sec-WebSocket-Key is not 16 bytes in base64');
  }
  return 'websocket';
}

/** RFC 6455 §4.4. @throws ProxyError upgrade_required */
function requireVersion(fields: HeaderList): void {
  if (fields.first('sec-websocket-version') === '13') return;
  const message = 'The WebSocket handshake is refused: Sec-WebSocket-Version has to be 13.';
  throw new ProxyError('upgrade_required', message);
}

function malformed(reason: string): ProxyError {
  return new ProxyError('request_malformed', `The WebSocket handshake is refused: ${reason}.`);
}
