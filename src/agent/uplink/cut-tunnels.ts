// Tunnels whose connection was lost while they had something to say: each is tried again and again until it goes on, or cannot any more.

import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { LinkFrame, ResumableFrame } from '../../protocol/frame.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { TunnelLink } from '../../net/tunnel-link.ts';
import type { Logger } from '../../system/logger.ts';
import { askedDelayMs } from './asked-delay.ts';
import { delay, delayUpTo, reconnectDelayMs } from './delay.ts';
import type { AgentSession } from './enrol.ts';
import type { LinkAgreement } from './link-agreement.ts';
import { resumeTunnel } from './tunnel-resume.ts';
import { endsSession, reasonOf } from './session-over.ts';

export interface CutTunnelsOptions {
  readonly session: AgentSession;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly random: () => number;
  readonly asksForModes: boolean;
  /** When nothing is tried any more. */
  readonly signal: AbortSignal;
  /** The agreement on modes for another connection of a tunnel. */
  readonly agreeOn: (
    link: TunnelLink,
    exporter: Uint8Array,
    send: (frame: LinkFrame) => void,
    onFault: (error: ProxyError) => void,
  ) => LinkAgreement;
  /** The tunnel goes on; called before anything of its new connection comes. */
  readonly onResumed: (link: TunnelLink, agreement: LinkAgreement | undefined) => void;
}

interface Known {
  readonly ticket: ResumableFrame;
  epoch: number;
}

export class CutTunnels {
  readonly #options: CutTunnelsOptions;
  readonly #known = new WeakMap<TunnelLink, Known>();
  #hurried = new AbortController();

  constructor(options: CutTunnelsOptions) {
    this.#options = options;
  }

  /** The gateway said how the tunnel can go on. */
  learn(link: TunnelLink, ticket: ResumableFrame): void {
    this.#known.set(link, { ticket, epoch: 0 });
  }

  /** Another tunnel of the session is up, so a gateway is there: what waits for its next attempt is tried now. */
  hurry(): void {
    this.#hurried.abort();
    this.#hurried = new AbortController();
  }

  /**
   * The connection of a tunnel is lost. Gives whether the tunnel goes on, as soon as that is known; one that has nothing to say, or that
   * cannot, ends at once.
   */
  async cut(link: TunnelLink): Promise<boolean> {
    const known = this.#known.get(link);
    if (known === undefined || link.state.isSettled || this.#options.signal.aborted) {
      link.destroy(new ProxyError('tunnel_lost', 'the connection to the gateway was lost'));
      return false;
    }
    try {
      await this.#tryUntil(performance.now() + known.ticket.windowMs, link, known);
      return true;
    } catch (error) {
      link.destroy(asProxyError(error));
      return false;
    }
  }

  async #tryUntil(endMs: number, link: TunnelLink, known: Known): Promise<void> {
    const { session, limits, logger, random, asksForModes, signal, onResumed } = this.#options;
    const { agreeOn } = this.#options;
    let [unknown, askedMs] = [0, 0];
    for (let attempt = 0; ; attempt++) {
      const { signal: hurried } = this.#hurried;
      // What is asked for holds also where another tunnel comes up meanwhile.
      if (askedMs > 0) await delay(askedMs, signal);
      const waitMs = Math.max(0, reconnectDelayMs(attempt, limits, random) - askedMs);
      await delayUpTo(waitMs, signal, hurried);
      if (link.isOver) throw new ProxyError('tunnel_lost', 'the tunnel has ended meanwhile');
      known.epoch += 1;
      const { ticket, epoch } = known;
      try {
        await resumeTunnel({
          session,
          limits,
          link,
          ticket,
          epoch,
          asksForModes,
          signal,
          agreeOn: (exporter, send, onFault) => agreeOn(link, exporter, send, onFault),
          onGoesOn: (agreement) => onResumed(link, agreement),
        });
        return logger.info(`the tunnel to the gateway goes on with ${link.streamCount} streams`);
      } catch (failure) {
        const error = asProxyError(failure);
        // Behind a balancer it may be another gateway that has it: asked again at once, as one was reached.
        askedMs = askedDelayMs(error, random);
        const isElsewhere = reasonOf(error) === 'resume_unknown';
        if (isElsewhere) [attempt, unknown] = [-1, unknown + 1];
        if (isFinal(error) || unknown >= limits.resumeUnknownMax || performance.now() >= endMs) throw error;
        if (reasonOf(error) === 'token_expired') await session.renew(signal).catch(() => undefined);
      }
    }
  }
}

function isFinal(error: ProxyError): boolean {
  return reasonOf(error) === 'resume_refused' || endsSession(error);
}
