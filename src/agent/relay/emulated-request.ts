// Libraries of clouds ask for credentials at an address of this machine, as they would ask a server and no proxy. The relay has such an address,
// and hands the request on to the gateway, which responds with placeholders.

import { Buffer } from 'node:buffer';
import type { HeaderList } from '../../http/header-list.ts';
import { identityHost, identityPath } from '../../protocol/identity-address.ts';

/** Whether the target of a request is a path of that address. */
export function isIdentityTarget(target: string): boolean {
  return target.startsWith(identityPath);
}

/** Fields that are of this connection, or that name it. */
const ofConnection = new Set(['host', 'connection', 'keep-alive', 'proxy-connection', 'upgrade', 'te']);

/** The head in the form in which the gateway takes it. What follows on the connection would not be in that form: it is the last one. */
export function identityHead({
  method,
  target,
  fields,
}: {
  readonly method: string;
  readonly target: string;
  readonly fields: HeaderList;
}): Buffer {
  const kept = [...fields].filter(([name]) => !ofConnection.has(name.toLowerCase()));
  const lines = [
    `${method} http://${identityHost}${target} HTTP/1.1`,
    `Host: ${identityHost}`,
    'Connection: close',
    ...kept.map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
