// Sessions that a session makes, for any process of the workload that asks: each has a key, a tunnel and a relay of its own, all in this
// process. No token and no key leaves it.

import type { Socket } from 'node:net';
import {
  childRequestOf,
  type ChildFault,
  type ChildOffer,
  type ChildRequest,
} from '../protocol/child-lines.ts';
import { asProxyError, ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import type { SessionResponse } from '../protocol/session-messages.ts';
import type { Logger } from '../system/logger.ts';
import type { ClientTls } from './relay/client-tls.ts';
import { startRelay } from './relay/relay.ts';
import { endAtGateway, proveTunnel, superviseRenewal } from './session-steps.ts';
import type { AgentSession } from './uplink/enrol.ts';
import { TunnelClient } from './uplink/tunnel-client.ts';

/** What commands of a session are given. */
interface ChildEnvironment {
  readonly of: (
    port: number,
    response: Pick<SessionResponse, 'placeholders' | 'signing'>,
  ) => Readonly<Record<string, string>>;
  /** Names of those of the session itself. */
  readonly own: () => readonly string[];
}

export interface MakingSession {
  readonly session: AgentSession;
  readonly environment: ChildEnvironment;
  readonly clientTls: ClientTls | undefined;
  /** Of its relay and of those above it: a command that is confined must not see them. */
  readonly relaySockets: readonly string[];
}

export interface ChildrenOptions {
  readonly limits: Limits;
  readonly logger: Logger;
}

/** How many are open, of a session and all that it made. */
interface Count {
  open: number;
}

export class Children implements AsyncDisposable {
  readonly #options: ChildrenOptions;
  readonly #count: Count;
  readonly #life = new AbortController();
  readonly #serving = new Set<Promise<void>>();
  #maker: MakingSession | undefined;

  constructor(options: ChildrenOptions, count: Count = { open: 0 }) {
    this.#options = options;
    this.#count = count;
  }

  /** From here on sessions can be asked for. */
  begin(maker: MakingSession): void {
    this.#maker = maker;
  }

  /** Serves one who asks, to the end of the connection. Never throws. */
  readonly serve = (socket: Socket): void => {
    const serving = this.#serve(socket).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  };

  /** Ends all that were made here. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort();
    await Promise.all(this.#serving);
  }

  async #serve(socket: Socket): Promise<void> {
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    socket.on('error', leave).once('close', leave);
    const signal = AbortSignal.any([gone.signal, this.#life.signal]);
    const { limits } = this.#options;
    try {
      const request = childRequestOf(await firstLine(socket, limits));
      if (request === undefined) throw new ProxyError('request_malformed', 'the line asks for no session');
      await using child = await this.#open(request, signal);
      // From here on its end is that of whoever asks.
      socket.on('data', leave).once('end', leave).resume();
      socket.write(`${JSON.stringify(child.offer)}\n`);
      const fault = await Promise.race([child.ended, aborted(signal)]);
      if (fault !== undefined) socket.end(faultLine(fault));
    } catch (error) {
      const fault = asProxyError(error);
      if (!signal.aborted) this.#options.logger.info(`no session was made: ${fault.message}`);
      socket.end(faultLine(fault));
    } finally {
      // Half of it may be open still, and nobody says anything more.
      socket.destroySoon();
    }
  }

  async #open(request: ChildRequest, signal: AbortSignal): Promise<OpenChild> {
    const maker = this.#maker;
    const { limits } = this.#options;
    if (maker === undefined) throw new ProxyError('tunnel_lost', 'the session is not up yet');
    if (this.#count.open >= limits.childSessionsMax)
      throw new ProxyError(
        'limit_exceeded',
        `the agent has ${limits.childSessionsMax} sessions open that this one made (childSessionsMax)`,
        { limit: 'childSessionsMax' },
      );
    await using stack = new AsyncDisposableStack();
    this.#count.open += 1;
    stack.defer(() => void (this.#count.open -= 1));
    return await openChild({ request, maker, ...this.#options, count: this.#count, signal, stack });
  }
}

interface OpenChild extends AsyncDisposable {
  readonly offer: ChildOffer;
  readonly ended: Promise<ProxyError | undefined>;
}

interface Opening extends ChildrenOptions {
  readonly request: ChildRequest;
  readonly maker: MakingSession;
  readonly count: Count;
  readonly signal: AbortSignal;
  /** Moved to what is opened. */
  readonly stack: AsyncDisposableStack;
}

async function openChild({
  request,
  maker,
  limits,
  logger,
  count,
  signal,
  stack,
}: Opening): Promise<OpenChild> {
  const { environment, clientTls, relaySockets } = maker;
  // To its end, whoever asked may leave: the gateway has made it, and only who knows it can end it.
  const session = await maker.session.narrow(request);
  stack.defer(() => endAtGateway(session, logger));
  if (signal.aborted) throw new ProxyError('cancelled', 'whoever asked has left');
  const link = { session, limits, logger, asksForModes: clientTls !== undefined };
  const client = stack.use(await TunnelClient.open(link, signal));
  const children = stack.use(new Children({ limits, logger }, count));
  const place = { tunnel: client, port: 0, limits, logger };
  const relay = stack.use(await startRelay(place, clientTls, children.serve));
  await proveTunnel(client, limits, signal);
  const life = new AbortController();
  stack.defer(() => life.abort());
  const following = { now: () => Promise.resolve() };
  void superviseRenewal({ session, client, following, limits, logger, signal: life.signal });
  const { capture_ports: capturePorts } = session.response;
  const own = environment.of(relay.port, session.response);
  children.begin({
    session,
    clientTls,
    relaySockets,
    environment: { of: environment.of, own: () => Object.keys(own) },
  });
  const owned = stack.move();
  return {
    offer: {
      id: session.id,
      port: relay.port,
      environment: own,
      replaces: environment.own(),
      capturePorts,
      relaySockets,
    },
    ended: client.ended,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function faultLine({ code, message }: ProxyError): string {
  return `${JSON.stringify({ error: { code, message } satisfies ChildFault })}\n`;
}

function aborted(signal: AbortSignal): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  if (signal.aborted) resolve(undefined);
  else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  return promise;
}

/** What comes behind it is lost. @throws ProxyError timeout, request_malformed, cancelled */
async function firstLine(socket: Socket, limits: Limits): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const max = limits.agentBodyBytesMax;
  const chunks: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(
    () => reject(new ProxyError('timeout', `no line within ${limits.headTimeoutMs} ms`)),
    limits.headTimeoutMs,
  );
  const onData = (chunk: Buffer): void => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > max) reject(new ProxyError('request_malformed', `the line has more than ${max} bytes`));
    else if (chunk.includes(10)) resolve(Buffer.concat(chunks).toString('utf8').split('\n', 1)[0] ?? '');
  };
  const onEnd = (): void => reject(new ProxyError('cancelled', 'whoever asked has left'));
  socket.on('data', onData).once('end', onEnd).once('close', onEnd).resume();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.pause();
    socket.off('data', onData).off('end', onEnd).off('close', onEnd);
  }
}
