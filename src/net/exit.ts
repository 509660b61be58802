// A way out: from which address connections begin, and through which proxies they go.

import type { Destination } from '../http/destination.ts';
import { ProxyError } from '../protocol/error.ts';
import type { LocalPlace } from './local-place.ts';
import type { ProxyChain } from './proxy-chain.ts';

export type Hop = 'direct' | ProxyChain;

export interface HopsRequest {
  /** Whose dial it is: turns are taken by owner. */
  readonly principalId: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Exit {
  readonly name: string;
  /** Absent: the system chooses. */
  readonly from?: LocalPlace;
  /** What to try, in order: the next one only where a proxy itself could not be reached. @throws ProxyError exit_unavailable, cancelled, timeout, limit_exceeded */
  hops(destination: Destination, request: HopsRequest): Promise<readonly Hop[]>;
}

/** Through one proxy, but for the hosts that it does not serve. */
export function proxyExit(name: string, chain: ProxyChain, from?: LocalPlace): Exit {
  return {
    name,
    ...(from === undefined ? {} : { from }),
    hops: ({ host }) => Promise.resolve([chain.serves(host) ? chain : 'direct']),
  };
}

/** Without a proxy. */
export function directExit(name: string, from?: LocalPlace): Exit {
  return {
    name,
    ...(from === undefined ? {} : { from }),
    hops: () => Promise.resolve(['direct']),
  };
}

/** What the workload is told names the host alone; the operator is told which exit. */
export function exitUnavailable(
  name: string,
  { host }: Pick<Destination, 'host'>,
  why: string,
  cause?: unknown,
): ProxyError {
  return new ProxyError('exit_unavailable', `The way out to ${host} cannot be used.`, {
    operatorDetail: `exit ${name}: ${why}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
