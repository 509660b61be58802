// A WebSocket to the gateway, authorized by the session: for a tunnel, for one to go on with, and for a connection of the chunk protocol.

import { linkExporter } from '../../net/link-exporter.ts';
import type { WebSocketConnection } from '../../net/websocket-connection.ts';
import { connectWebSocket } from '../../net/websocket-handshake.ts';
import { tunnelSubprotocol } from '../../protocol/frame.ts';
import type { Limits } from '../../protocol/limits.ts';
import { tunnelPath } from '../../protocol/session-messages.ts';
import type { AgentSession } from './enrol.ts';
import { openConnection } from './gateway-connection.ts';

export interface GatewayWebSocketOptions {
  readonly session: AgentSession;
  readonly limits: Limits;
  readonly subprotocol: string;
  /** Offers to agree on modes, where the runtime tells what that rests on. */
  readonly asksForModes?: boolean;
  /** `agree`, or the tunnel to go on with. */
  readonly resume?: string;
  /** Of the gateway: its proof counts there alone. */
  readonly nonce?: string | undefined;
  /** Told of the one for the next proof. */
  readonly onNonce?: (nonce: string) => void;
  readonly signal: AbortSignal | undefined;
}

export interface GatewayWebSocket {
  readonly webSocket: WebSocketConnection;
  /** What proves where its TLS ends; undefined where modes are not asked for, or the runtime does not tell it. */
  readonly exporter: Uint8Array | undefined;
}

/** What gateways give is shorter; what is none of this form is no nonce (RFC 9449 §8.1). */
const nonceForm = /^[A-Za-z0-9._~-]{1,256}$/;

/** @throws ProxyError as `openConnection` and `connectWebSocket` do */
export async function openGatewayWebSocket(options: GatewayWebSocketOptions): Promise<GatewayWebSocket> {
  const { session, limits, subprotocol, asksForModes = false, resume, nonce, onNonce, signal } = options;
  const { gateway } = session;
  // Signed before: a connection whose user waits for something else has nobody who hears of its reset.
  const headers = await session.authorize('GET', tunnelPath, {
    nonce,
    isChallenged: subprotocol === tunnelSubprotocol,
  });
  const socket = await openConnection(gateway, limits, signal);
  try {
    const exporter = asksForModes ? linkExporter(socket) : undefined;
    const webSocket = await connectWebSocket({
      socket,
      host: gateway.address.hostField,
      path: `${gateway.address.prefix}${tunnelPath}`,
      subprotocols: [subprotocol],
      headers,
      onFields: (fields) => {
        const next = fields.all('dpop-nonce');
        if (next.length === 1 && next[0] !== undefined && nonceForm.test(next[0])) onNonce?.(next[0]);
      },
      offersModes: exporter !== undefined,
      // Masks guard plain-text intermediaries; inside TLS a zero mask saves the pass over all bytes.
      zeroMask: gateway.address.secure,
      limits,
      ...(resume === undefined ? {} : { resume }),
      ...(signal === undefined ? {} : { signal }),
    });
    return { webSocket, exporter };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
