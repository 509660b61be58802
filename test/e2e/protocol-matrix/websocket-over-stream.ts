// The framing of `ws` on a stream whose handshake was made elsewhere, as over HTTP/2 (RFC 8441).

import type { Duplex } from 'node:stream';

import { WebSocket } from 'ws';

/** What `ws` has and does not declare. */
interface WebSocketInside {
  _isServer: boolean;
  setSocket(socket: Duplex, head: Buffer, options: { readonly maxPayload: number }): void;
}

const maxPayload = 1024 * 1024;

/** The server's end: frames come masked and go unmasked. */
export function serverWebSocket(stream: Duplex): WebSocket {
  return open(stream, true);
}

/** The client's end. */
export function clientWebSocket(stream: Duplex): WebSocket {
  return open(stream, false);
}

function open(stream: Duplex, isServer: boolean): WebSocket {
  // The server of `ws` itself makes them so: without an address, which the types do not know, then with a socket.
  const webSocket = new WebSocket(null as unknown as string, undefined, { autoPong: true });
  const inside = webSocket as unknown as WebSocketInside;
  inside._isServer = isServer;
  inside.setSocket(stream, Buffer.alloc(0), { maxPayload });
  return webSocket;
}
