// What a stream is served with, and what is asked of its destination first.

import type { Duplex } from 'node:stream';
import { parseAuthority } from '../../http/authority.ts';
import type { Destination } from '../../http/destination.ts';
import type { TlsTerminator } from '../../intercept/tls-terminator.ts';
import type { Dialer } from '../../net/dialer.ts';
import type { LinkAbsence } from '../../net/link-absence.ts';
import type { Decision, Principal } from '../../policy/decision.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { OpenFields, PlainMode } from '../../protocol/frame.ts';
import type { LimitName } from '../../protocol/limits.ts';
import type { RefusalCounts } from '../audit/refusal-counts.ts';
import type { DatagramFlows } from '../datagrams/datagram-flows.ts';
import type { DatagramPort } from '../datagrams/datagram-relay.ts';
import type { ProtocolEnds } from './protocol-ends.ts';
import type { ExchangeParts } from '../exchange/exchange-parts.ts';
import type { FrontConnection } from '../front/front-connection.ts';
import type { HttpFront } from '../front/http-front.ts';
import type { Http2Front } from '../front/http2-front.ts';
import type { LoopWatch } from './loop-watch.ts';

/** A stream as the handler sees it: of the multiplexed tunnel or of the chunk protocol. */
export interface StreamPort {
  readonly duplex: Duplex;
  readonly fields: OpenFields;
  /** When its tunnel had no link. */
  readonly absence?: LinkAbsence | undefined;
  /** Of a connection on which each request has to show whose it is. */
  readonly refusalOf?: FrontConnection['refusalOf'];
  /** Of mode `udp`, where the tunnel carries datagrams. */
  readonly datagrams?: DatagramPort | undefined;
  /** Whether streams of the mode were agreed for the tunnel. */
  allowsMode(mode: PlainMode): boolean;
  accept(): void;
  refuse(error: ProxyError): void;
  /** Ends both directions at once; the client sees a reset. */
  reset(error: ProxyError): void;
}

export interface StreamParts extends ExchangeParts {
  readonly front: HttpFront;
  readonly http2Front: Http2Front;
  readonly terminator: TlsTerminator;
  readonly dialer: Dialer;
  readonly protocolEnds: ProtocolEnds;
  readonly datagramFlows: DatagramFlows;
  /** Told of limits that are reached without an audit event of their own. */
  readonly onLimit?: (limit: LimitName) => void;
  /** What sessions were refused, for their agents. */
  readonly refusals: RefusalCounts;
  /** Told whose bytes the loop works on. */
  readonly loopWatch?: LoopWatch;
}

export interface Scene {
  readonly port: StreamPort;
  readonly principal: Principal;
  readonly parts: StreamParts;
}

/** What a connection to the destination may be. */
export function connectDecision({ principal, parts }: Scene, destination: Destination): Decision {
  return parts.policy().decide(principal, { depth: 'connect', destination }, parts.clock());
}

/** Whether a name means the canonical host. */
export function sameHost(name: string, host: string): boolean {
  try {
    return parseAuthority(name, { defaultPort: 443 }).host === host;
  } catch {
    // A name that cannot be parsed is not the name of the destination.
    return false;
  }
}
