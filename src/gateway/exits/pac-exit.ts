// A way out that a PAC script chooses for each host, among the proxies that the configuration lists.

import { formatAuthority } from '../../http/authority.ts';
import type { Destination } from '../../http/destination.ts';
import { exitUnavailable, type Exit, type Hop, type HopsRequest } from '../../net/exit.ts';
import type { LocalPlace } from '../../net/local-place.ts';
import type { ProxyChain } from '../../net/proxy-chain.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { parsePacResult, type PacHop } from './pac-result.ts';
import type { PacReading } from './pac-messages.ts';
import type { PacScript } from './pac-script.ts';

interface PacExitOptions {
  readonly name: string;
  readonly script: Pick<PacScript, 'find'>;
  /** By `pacKey`. */
  readonly proxies: ReadonlyMap<string, ProxyChain>;
  /** Whether DIRECT counts. */
  readonly direct: boolean;
  readonly from?: LocalPlace | undefined;
  /** Milliseconds that only grow. */
  readonly nowMs?: () => number;
}

interface Kept {
  readonly reading: Promise<PacReading>;
  untilMs: number;
}

export class PacExit implements Exit {
  readonly name: string;
  readonly from?: LocalPlace;
  readonly #options: PacExitOptions;
  readonly #nowMs: () => number;
  /** By URL and principal. */
  readonly #kept = new Map<string, Kept>();

  constructor(options: PacExitOptions) {
    this.#options = options;
    this.name = options.name;
    if (options.from !== undefined) this.from = options.from;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  async hops(destination: Destination, { principalId, signal }: HopsRequest): Promise<readonly Hop[]> {
    const reading = await orAborted(this.#read(destination, principalId), destination, signal);
    if (reading.kind === 'failed')
      throw exitUnavailable(this.name, destination, `the proxy script failed: ${reading.reason}`);
    const said = parsePacResult(reading.text).slice(0, defaultLimits.pacHopsMax);
    const hops = said.map((hop) => this.#permitted(hop)).filter((hop) => hop !== undefined);
    if (hops.length === 0)
      throw exitUnavailable(
        this.name,
        destination,
        `the proxy script says ${JSON.stringify(reading.text.slice(0, 200))}, of which the configuration permits nothing`,
      );
    const isAway = (hop: Hop): boolean => hop !== 'direct' && hop.isAway();
    return [...hops.filter((hop) => !isAway(hop)), ...hops.filter(isAway)];
  }

  #permitted(hop: PacHop): Hop | undefined {
    switch (hop.kind) {
      case 'direct':
        return this.#options.direct ? 'direct' : undefined;
      case 'proxy':
        return this.#options.proxies.get(hop.key);
      case 'unknown':
        return undefined;
    }
  }

  /**
   * A script is told of the host alone, never of a path. Dials of one principal for the same share one reading. What another one asks for is
   * not shared: it waits for turns of that one, and may have failed for want of what that one has used up.
   */
  async #read(destination: Destination, principalId: string): Promise<PacReading> {
    const { host } = destination;
    const scheme = destination.scheme === 'http' ? 'http' : 'https';
    const isUsual = destination.port === (scheme === 'http' ? 80 : 443);
    const bare = formatAuthority({ host, port: destination.port });
    const url = `${scheme}://${isUsual ? bare.slice(0, bare.lastIndexOf(':')) : bare}/`;
    // A URL has no space.
    const key = `${url} ${principalId}`;
    const nowMs = this.#nowMs();
    const kept = this.#kept.get(key);
    if (kept !== undefined && nowMs < kept.untilMs) return await kept.reading;
    this.#kept.delete(key);
    const { pacResultAgeMsMax, pacResultsMax } = defaultLimits;
    const reading = this.#options.script.find(principalId, { url, host });
    const added: Kept = { reading, untilMs: Infinity };
    this.#kept.set(key, added);
    // That the script had no time for it says nothing of the host.
    reading.catch(() => {
      if (this.#kept.get(key) === added) this.#kept.delete(key);
    });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= pacResultsMax) break;
      this.#kept.delete(oldest);
    }
    const found = await reading;
    added.untilMs = this.#nowMs() + (found.kind === 'found' ? pacResultAgeMsMax : pacResultAgeMsMax / 10);
    return found;
  }
}

/** The reading goes on for others who ask for the same. */
async function orAborted(
  reading: Promise<PacReading>,
  { host }: Destination,
  signal: AbortSignal | undefined,
): Promise<PacReading> {
  if (signal === undefined) return await reading;
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new ProxyError('cancelled', `The connection to ${host} was cancelled.`));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([reading, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
