// What a link of a tunnel is made with.

import type { ProxyError } from '../protocol/error.ts';
import type { LinkFrame, ResumableFrame } from '../protocol/frame.ts';
import type { TunnelConnectionOptions } from '../protocol/tunnel-options.ts';
import type { TunnelStream } from './tunnel-stream.ts';
import type { WebSocketConnection, WebSocketHandlers } from './websocket-connection.ts';

export interface TunnelLinkOptions extends Omit<TunnelConnectionOptions, 'nowMs'> {
  readonly webSocket: WebSocketConnection;
  /** Hands on what comes, where somebody else has read from the WebSocket before. */
  readonly begin?: ((handlers: WebSocketHandlers) => void) | undefined;
  /** Gateway: a stream that the agent opened. Accept, refuse or use it; without a handler all are refused. */
  readonly onStream?: (stream: TunnelStream) => void;
  /** Gateway: a stream of the agent that was refused before anybody saw it. */
  readonly onRefused?: (error: ProxyError) => void;
  /** Bytes of the peer came: what the loop does next is for it. */
  readonly onReceive?: () => void;
  /** The peer takes no new streams: open them on another tunnel. */
  readonly onGoaway?: (code: number, message: string) => void;
  /** A frame of the agreement on modes came. What it throws ends the tunnel. */
  readonly onLinkFrame?: (frame: LinkFrame) => void;
  /** How the tunnel goes on upon another WebSocket, where that was agreed. */
  readonly onResumable?: (frame: ResumableFrame) => void;
  /** The WebSocket is gone, and the tunnel waits for another one. */
  readonly onDetached?: () => void;
  /** Monotonic clock in milliseconds. */
  readonly nowMs?: () => number;
}
