// What the gateway can do with a tunnel, whatever its protocol is.

import type { ProxyError } from '../../protocol/error.ts';

export interface OpenTunnel {
  readonly sessionId: string;
  /** When its session ends at the latest. */
  readonly endsMs: number;
  drain(deadlineMs: number): Promise<void>;
  /** Ends it now; the agent learns the reason, where the protocol of the tunnel can say it. */
  dismiss(error: ProxyError): void;
  destroy(error: ProxyError): void;
}
