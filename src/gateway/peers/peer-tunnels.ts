// Tunnels of other gateways: an agent that comes here to go on with one is led to the gateway that has it. Nothing of it stays here.

import type { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { parseResumeName } from '../../net/resume-name.ts';
import { resumeField } from '../../net/websocket-handshake.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { endBehind } from '../forward/end-half-open.ts';
import { pipeBoth } from '../forward/pipe-both.ts';
import { areSiblings, holderOf } from '../tunnels/incarnation.ts';
import { encodePassedStart } from '../tunnels/passed-start.ts';
import type { SessionUpgrade, TunnelPlaces } from '../tunnels/tunnel-places.ts';
import { connectPeer } from './peer-connection.ts';
import type { PeerDirectory } from './peer-directory.ts';
import type { PeerIdentity } from './peer-identity.ts';
import { splicedFacts } from './spliced-upgrade.ts';

export interface PeerTunnelsOptions {
  readonly identity: PeerIdentity;
  readonly directory: PeerDirectory;
  readonly limits: Limits;
  readonly log: (level: 'info' | 'warn', message: string) => void;
}

export class PeerTunnels implements TunnelPlaces {
  readonly #options: PeerTunnelsOptions;
  /** What is led through, by session. */
  readonly #passing = new Map<string, Set<Promise<void>>>();
  #count = 0;

  constructor(options: PeerTunnelsOptions) {
    this.#options = options;
  }

  async passOn(upgrade: SessionUpgrade): Promise<boolean> {
    const name = parseResumeName(upgrade.request.headers[resumeField]);
    if (name === undefined) return false;
    const holder = holderOf(name.tunnelId);
    // Its own, or of a worker beside it, which the workers find among themselves.
    if (areSiblings(holder, this.#options.identity.incarnation)) return false;
    const leave = this.#enter(upgrade.session.principal.sessionId);
    try {
      const onward = await this.#reach(holder);
      leave(this.#splice(upgrade, onward));
      return true;
    } catch (error) {
      leave(Promise.resolve());
      throw error;
    }
  }

  async drain(deadlineMs: number): Promise<void> {
    const passing = [...this.#passing.values()].map((one) => Promise.all(one));
    await Promise.race([Promise.all(passing), wait(deadlineMs, undefined, { ref: false })]);
  }

  ended(): void {
    // The gateway that has a tunnel ends it with its session.
  }

  /** Throws `resume_refused` only where it is proven that nobody has the tunnel: the agent gives its streams up then. */
  async #reach(holder: string): Promise<TLSSocket> {
    const { directory, identity, log } = this.#options;
    const place = await directory.find(holder);
    if (place.kind === 'at') {
      const found = await connectPeer(place.address, holder, identity).catch(async (error: unknown) => {
        // Its machine may be gone with it, so that nothing says that nobody is there.
        if (await directory.hasLeft(holder)) return undefined;
        throw error;
      });
      if (found?.kind === 'connected') return found.socket;
    }
    const isGone = place.kind === 'gone' || (place.kind === 'at' && (await directory.isGone(holder)));
    // Another gateway that the agent reaches may be the one.
    if (place.kind === 'unknown')
      throw new ProxyError('resume_unknown', 'the store does not know the gateway that had the tunnel');
    if (!isGone)
      throw new ProxyError(
        'peer_unreachable',
        'the gateway that has the tunnel cannot be reached; try again',
      );
    log('warn', `an agent came for a tunnel of the gateway ${holder}, which is gone`);
    throw new ProxyError('resume_refused', 'the gateway that had the tunnel is gone, and the tunnel with it');
  }

  /** Octets both ways, as fast as the slower end takes them; ends when either does, or says nothing for as long as a tunnel may. */
  async #splice({ session, request, socket, head, exporter }: SessionUpgrade, onward: Duplex): Promise<void> {
    const { limits } = this.#options;
    const { sessionId, id } = session.principal;
    const facts = splicedFacts({ session: { sessionId, id }, request, exporter }, 'encrypted' in socket);
    onward.write(encodePassedStart(new Uint8Array(), facts, head));
    if ('setTimeout' in socket && typeof socket.setTimeout === 'function') socket.setTimeout(0);
    endBehind(socket, onward, limits.closeTimeoutMs);
    await pipeBoth(socket, onward, { idle: { limits, name: 'pingTimeoutMs' } });
  }

  /** Counts it until what the function that is given back gets is over. Throws limit_exceeded. */
  #enter(sessionId: string): (until: Promise<void>) => void {
    const { peerSplicesMax, tunnelsPerSessionMax } = this.#options.limits;
    const own = this.#passing.get(sessionId) ?? new Set();
    if (this.#count >= peerSplicesMax)
      throw tooMany('peerSplicesMax', peerSplicesMax, 'this gateway leads so many to others already');
    if (own.size >= tunnelsPerSessionMax)
      throw tooMany('tunnelsPerSessionMax', tunnelsPerSessionMax, 'so many of the session are led to others');
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const entry = promise.then(() => {
      this.#count -= 1;
      own.delete(entry);
      if (own.size === 0) this.#passing.delete(sessionId);
    });
    own.add(entry);
    this.#count += 1;
    this.#passing.set(sessionId, own);
    return (until) => void until.finally(() => resolve(undefined));
  }
}

function tooMany(limit: 'peerSplicesMax' | 'tunnelsPerSessionMax', max: number, why: string): ProxyError {
  return new ProxyError('limit_exceeded', `${why}: ${max} (${limit})`, { limit });
}
