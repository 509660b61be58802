// The agent's end of the tunnel: keeps one link to the gateway up for as long as the session lives.

import { ProxyError, asProxyError } from '../../protocol/error.ts';
import { errorCodeOfWire } from '../../protocol/error-table.ts';
import { type OpenFields, type PlainMode, tunnelSubprotocol } from '../../protocol/frame.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Challenge } from '../../protocol/link-proof.ts';
import { TunnelLink } from '../../net/tunnel-link.ts';
import type { TunnelStream } from '../../net/tunnel-stream.ts';
import { AwaitedTunnel, type AttemptDelay } from './awaited-tunnel.ts';
import { CutTunnels } from './cut-tunnels.ts';
import { delay, timerMsMax } from './delay.ts';
import type { AgentSession } from './enrol.ts';
import { type GatewayWebSocket, openGatewayWebSocket } from './gateway-web-socket.ts';
import { attemptDelayAfter, beyondLeaving } from './leaving-gateway.ts';
import { agreedWithin, LinkAgreement, type LinkAgreementOptions } from './link-agreement.ts';
import { endsSession, reasonOf } from './session-over.ts';
import { identifyTunnel } from './tunnel-identity.ts';
import type { Logger } from '../../system/logger.ts';

export interface TunnelClientOptions {
  readonly session: AgentSession;
  readonly limits: Limits;
  readonly logger: Logger;
  /** 0 ≤ r < 1, for jitter. */
  readonly random?: () => number;
  /** Ask of each tunnel whether TLS of clients may end here; default false. */
  readonly asksForModes?: boolean;
}

/** A link that brought so much was a good one. */
const muchBytes = 64 * 1024;

const noExporter = 'the connection to the gateway is not TLS 1.3, or the runtime does not give its exporter';
const noOffer = 'the gateway, or something before it, does not agree on modes';

export interface CloseOptions {
  /** How long open connections may go on. Default: not at all. */
  readonly drainMs?: number;
  /** For all of it. A gateway that does not take leave is cut off then; by default when its limits say so. */
  readonly withinMs?: number;
}

interface Lost {
  readonly link: TunnelLink | undefined;
  readonly resumed: Promise<boolean>;
}

/** A tunnel that comes back by itself. `ended` resolves once, when it never will again. */
export class TunnelClient implements AsyncDisposable {
  readonly #options: TunnelClientOptions;
  readonly #random: () => number;
  readonly #abort = new AbortController();
  /** Tunnels that wait for another connection are still tried while this side drains. */
  readonly #cutAbort = new AbortController();
  readonly #ended = Promise.withResolvers<ProxyError | undefined>();
  /** Links that were told to go away, or are going, and still carry streams. */
  readonly #retired = new Set<TunnelLink>();
  readonly #datagramLinks = new WeakSet<TunnelLink>();
  readonly #cut: CutTunnels;
  #link: TunnelLink | undefined;
  /** The tunnel that was lost last while new streams went to it, and whether it goes on. */
  #lost: Lost = { link: undefined, resumed: Promise.resolve(false) };
  /** Where new streams went last, and what had come on it before. */
  #used: { readonly link: TunnelLink | undefined; readonly fromBytes: number } = {
    link: undefined,
    fromBytes: 0,
  };
  readonly #awaited: AwaitedTunnel;
  #running: Promise<void> = Promise.resolve();
  #isEnded = false;
  #linksUsed = 0;

  private constructor(options: TunnelClientOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    const { session, limits, logger } = options;
    this.#awaited = new AwaitedTunnel(limits);
    this.#cut = new CutTunnels({
      session,
      limits,
      logger,
      random: this.#random,
      signal: this.#cutAbort.signal,
      asksForModes: options.asksForModes === true,
      agreeOn: (_link, exporter, send, onFault) =>
        new LinkAgreement({ ...this.#agreementFacts(exporter), send, onFault, onConcluded: () => undefined }),
      onResumed: (link, agreement) => {
        const old = this.#agreements.get(link);
        if (agreement === undefined) this.#agreements.delete(link);
        else this.#agreements.set(link, agreement);
        old?.replaced();
      },
    });
    if (options.asksForModes !== true) this.#agreed.resolve('it is not asked for');
  }

  /** Connects for the first time; throws instead of retrying if that fails, but for gateways that are about to end. */
  static async open(options: TunnelClientOptions, signal?: AbortSignal): Promise<TunnelClient> {
    const client = new TunnelClient(options);
    const { limits } = options;
    const waiting = { limits, random: client.#random, signal: signal ?? client.#abort.signal };
    const lost = client.#use(await beyondLeaving(() => client.#connect(signal), waiting));
    client.#running = client.#keepUp(lost);
    return client;
  }

  get ended(): Promise<ProxyError | undefined> {
    return this.#ended.promise;
  }

  /** Whether a stream can be opened now. */
  get isUp(): boolean {
    return this.#link?.isOpen ?? false;
  }

  get linksUsed(): number {
    return this.#linksUsed;
  }

  /**
   * Waits until a stream can be opened, and has one tried for soon. Throws tunnel_lost after `tunnelWaitTimeoutMs`, or why there will be
   * none.
   */
  async whenUp(): Promise<void> {
    if (!this.isUp) await this.#awaited.whenUp();
  }

  /** Modes of TLS that ended here in which a stream to the authority may be opened on the link that is up. */
  plainModes(authority: string): readonly PlainMode[] {
    const agreement = this.#link === undefined ? undefined : this.#agreements.get(this.#link);
    return agreement?.modesFor(authority) ?? [];
  }

  /** Waits until it is known what the link that is up agrees to, but no longer than a handshake may take. */
  whenAgreed(): Promise<void> {
    return agreedWithin(this.#link, this.#agreements, this.#options.limits.handshakeTimeoutMs);
  }

  /** Waits until it is agreed where TLS of clients ends on the first link. Gives why it is not here; undefined if it is. */
  get agreed(): Promise<string | undefined> {
    return this.#agreed.promise;
  }

  /** Opens a stream on the link that is up. Throws tunnel_lost, stream_limit, or protocol_denied for what this link does not take. */
  openStream(fields: OpenFields): TunnelStream {
    if (this.#link === undefined)
      throw new ProxyError('tunnel_lost', 'there is no tunnel to the gateway now');
    const { authority, mode } = fields;
    // Whoever asks, and whenever it asked before: an earlier link's agreement is not this one's.
    if ((mode === 'http1' || mode === 'http2') && !this.plainModes(authority).includes(mode))
      throw new ProxyError('protocol_denied', `mode ${mode} is not agreed for the tunnel that is up`);
    if (mode === 'udp' && !this.#datagramLinks.has(this.#link))
      throw new ProxyError('protocol_denied', 'the gateway, or something before it, carries no datagrams');
    return this.#link.openStream(fields);
  }

  /** One ping and its response, in milliseconds: proves that the gateway serves this tunnel. */
  async roundTrip(signal?: AbortSignal): Promise<number> {
    if (this.#link === undefined)
      throw new ProxyError('tunnel_lost', 'there is no tunnel to the gateway now');
    return this.#link.roundTrip(signal);
  }

  /**
   * Takes no new streams, waits up to `drainMs` for the open ones, then ends. A gateway that takes no leave is cut off by the limits, or
   * `withinMs` after the call. Harmless when repeated.
   */
  async close({ drainMs = 0, withinMs }: CloseOptions = {}): Promise<void> {
    const links = this.#stop(undefined);
    const late = new ProxyError('timeout', 'the gateway did not take leave in time');
    const cutOff = (): void => {
      for (const link of links) link.destroy(late);
    };
    const timer = withinMs === undefined ? undefined : setTimeout(cutOff, withinMs);
    try {
      await Promise.all(
        links.map(async (link) => {
          if (drainMs > 0) await link.drain(drainMs);
          await link[Symbol.asyncDispose]();
        }),
      );
      this.#cutAbort.abort();
      await this.#running;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends everything now; open streams fail with the error. */
  destroy(error: ProxyError): void {
    for (const link of this.#stop(error)) link.destroy(error);
    this.#cutAbort.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** No link comes after this. Returns those that are still there. */
  #stop(error: ProxyError | undefined): TunnelLink[] {
    const links = [...this.#retired];
    if (this.#link !== undefined) links.push(this.#link);
    if (this.#isEnded) return links;
    this.#isEnded = true;
    this.#link = undefined;
    for (const link of links) this.#retire(link);
    const reason = error ?? new ProxyError('shutting_down', 'the agent is ending');
    this.#awaited.end(reason);
    this.#ended.resolve(error);
    this.#abort.abort();
    return links;
  }

  async #keepUp(firstLost: Promise<ProxyError>): Promise<void> {
    let lost = firstLost;
    let attempt = 0;
    let upSinceMs = performance.now();
    for (;;) {
      let error = await lost;
      // A link that lived, or brought much, starts the count anew; one that breaks at once must not be tried in a tight loop.
      const isOld = performance.now() - upSinceMs > this.#options.limits.reconnectDelayMsMax;
      if (isOld || this.#broughtMuch()) attempt = 0;
      for (;;) {
        if (this.#isEnded) return;
        if (endsSession(error)) return this.destroy(error);
        const { limits } = this.#options;
        const wait = attemptDelayAfter(error, attempt, { limits, random: this.#random });
        this.#options.logger.warn(`${error.message.replace(/\.$/, '')}; ${nextAttempt(wait)}`);
        attempt += 1;
        try {
          const again = await this.#resumedWithin(wait);
          if (again !== undefined) {
            lost = this.#use(again);
            upSinceMs = performance.now();
            break;
          }
          // After a long sleep: the key still renews what expired meanwhile.
          if (reasonOf(error) === 'token_expired') await this.#options.session.renew(this.#abort.signal);
          const link = await this.#connect(this.#abort.signal);
          if (this.#isEnded) return link.destroy();
          lost = this.#use(link);
          upSinceMs = performance.now();
          this.#options.logger.info('the tunnel to the gateway is up again');
          break;
        } catch (failure) {
          error = asProxyError(failure);
        }
      }
    }
  }

  #broughtMuch(): boolean {
    const { link, fromBytes } = this.#used;
    return link !== undefined && link.state.receivedBytes - fromBytes >= muchBytes;
  }

  /** The tunnel that was lost last, if it goes on within the time, in which nothing else is tried. */
  async #resumedWithin(wait: AttemptDelay): Promise<TunnelLink | undefined> {
    const { link, resumed } = this.#lost;
    this.#lost = { link: undefined, resumed: Promise.resolve(false) };
    const { signal } = this.#abort;
    const waited = this.#awaited.untilAttempt(wait, signal);
    if (link === undefined) return void (await waited);
    waited.catch(() => undefined);
    const { reconnectDelayMsInitial } = this.#options.limits;
    // It is tried after such a wait itself, and then has the time of another one before a fresh tunnel is.
    const late = waited.then(() => delay(reconnectDelayMsInitial, signal)).then(() => false);
    const isBack = await Promise.race([resumed, late]);
    if (isBack && link.isOpen) {
      this.#retired.delete(link);
      return link;
    }
    // Nothing new goes to it if it comes back later: it ends with its last stream, or its place would never be free.
    void resumed.then((isBackLater) => (isBackLater ? link.drain(timerMsMax) : undefined));
    if (!isBack) await waited;
    return undefined;
  }

  /** Makes a link the one that new streams go to. Resolves with the reason when it no longer can be. */
  #use(link: TunnelLink): Promise<ProxyError> {
    const lost = Promise.withResolvers<ProxyError>();
    const leave = (error: ProxyError): void => {
      if (this.#link === link) {
        this.#link = undefined;
        this.#awaited.lost();
      }
      lost.resolve(error);
    };
    // One that comes back is told of once all the same.
    const isNew = !this.#goaways.has(link);
    this.#goaways.set(link, leave);
    if (isNew)
      void link.closed.then((error) => {
        this.#retired.delete(link);
        const closed = new ProxyError('tunnel_lost', 'the gateway closed the tunnel');
        this.#goaways.get(link)?.(error ?? closed);
      });
    this.#link = link;
    this.#used = { link, fromBytes: link.state.receivedBytes };
    this.#linksUsed += 1;
    if (isNew) this.#cut.hurry();
    this.#awaited.found();
    return lost.promise;
  }

  readonly #agreements = new WeakMap<TunnelLink, LinkAgreement>();
  readonly #agreed = Promise.withResolvers<string | undefined>();
  readonly #goaways = new WeakMap<TunnelLink, (error: ProxyError) => void>();

  /** The gateway takes no new streams here: the old ones may finish, a new link takes the next. */
  #goneAway(link: TunnelLink, code: number, message: string): void {
    const error = new ProxyError(errorCodeOfWire(code), `the gateway ends this tunnel: ${message}`);
    this.#retire(link);
    this.#goaways.get(link)?.(error);
  }

  /** Or says why there is nothing to agree on. */
  #agree(link: TunnelLink, { webSocket, exporter }: GatewayWebSocket, challenge?: Challenge): void {
    const { logger } = this.#options;
    const conclude = (fault: string | undefined): void => {
      this.#agreed.resolve(fault);
      if (fault !== undefined) logger.warn(`TLS of clients ends in the gateway: ${fault}`);
    };
    if (exporter === undefined) return conclude(noExporter);
    // An older gateway: posture and doctor say so.
    if (!webSocket.agreesOnModes) return this.#agreed.resolve(noOffer);
    void link.closed.then(() => this.#agreed.resolve('the tunnel was lost before'));
    const agreement = new LinkAgreement({
      ...this.#agreementFacts(exporter),
      send: (frame) => link.sendLinkFrame(frame),
      onFault: (error) => link.dismiss(error),
      onConcluded: conclude,
    });
    if (challenge !== undefined) agreement.challenged(challenge);
    this.#agreements.set(link, agreement);
  }

  #agreementFacts(exporter: Uint8Array): Omit<LinkAgreementOptions, 'send' | 'onFault' | 'onConcluded'> {
    const { session } = this.#options;
    return {
      origin: session.gateway.address.origin,
      exporter,
      linkKeys: () => session.response.link_keys,
      learnKeys: () => session.renew(this.#abort.signal),
      sign: (text) => session.signText(text),
    };
  }

  /** The connection of a tunnel is lost: what it carries waits for another one, and new streams take another tunnel meanwhile. */
  #detached(link: TunnelLink): void {
    const isCurrent = this.#link === link;
    if (!this.#isEnded) this.#retire(link);
    const resumed = this.#cut.cut(link);
    if (isCurrent) this.#lost = { link, resumed };
    const error = new ProxyError('tunnel_lost', 'the connection to the gateway was lost');
    this.#goaways.get(link)?.(error);
  }

  #retire(link: TunnelLink): void {
    if (!link.isOver) this.#retired.add(link);
  }

  async #connect(signal: AbortSignal | undefined): Promise<TunnelLink> {
    const { limits, asksForModes } = this.#options;
    const opened = await openGatewayWebSocket({
      ...this.#options,
      subprotocol: tunnelSubprotocol,
      resume: 'agree',
      signal,
    });
    const { webSocket } = opened;
    try {
      const identified = await identifyTunnel({ ...this.#options, ...opened, signal });
      const link: TunnelLink = new TunnelLink({
        webSocket,
        begin: identified?.begin,
        role: 'agent',
        limits,
        onGoaway: (code, message) => this.#goneAway(link, code, message),
        agreesOnModes: webSocket.agreesOnModes,
        onLinkFrame: (frame) => this.#agreements.get(link)?.receive(frame),
        isResumable: webSocket.isResumable,
        onResumable: (frame) => this.#cut.learn(link, frame),
        onDetached: () => this.#detached(link),
      });
      if (webSocket.agreesOnDatagrams) this.#datagramLinks.add(link);
      if (asksForModes === true) this.#agree(link, opened, identified?.challenge);
      return link;
    } catch (error) {
      webSocket.destroy();
      throw error;
    }
  }
}

function nextAttempt({ atMostMs, awaitedMs }: AttemptDelay): string {
  const most = `connecting again in ${Math.round(atMostMs)} ms`;
  return awaitedMs < atMostMs ? `${most}, sooner where a connection waits for it` : most;
}
