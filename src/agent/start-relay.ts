// startUpstreamProxyRelay of the library: a relay that works by itself, speaking the chunk protocol, or one in front of a tunnel of the caller's.

import { ProxyError } from '../protocol/error.ts';
import {
  flag,
  type OptionForm,
  relayPort,
  requireKnownOptions,
  text,
  texts,
  thing,
  tokenText,
} from '../protocol/known-options.ts';
import { type Limits, limitsWith } from '../protocol/limits.ts';
import type { Posture } from '../protocol/session-messages.ts';
import { type Logger, standardErrorLogger } from '../system/logger.ts';
import type { Environment } from './hardening/environment-scrub.ts';
import { laterTunnel } from './relay/later-tunnel.ts';
import { type Relay, type RelayOptions, type RelayPlace, startRelay } from './relay/relay.ts';
import { openSessionGateway } from './session-gateway.ts';
import { commit, endAtGateway, hardenProcess } from './session-steps.ts';
import { readSystemBundle } from './trust/trust.ts';
import { ChunkClient } from './uplink/chunk-client.ts';
import { type AgentSession, enrol } from './uplink/enrol.ts';
import type { Gateway } from './uplink/gateway-connection.ts';
import { gatewayUrlOfTunnel } from './uplink/gateway-address.ts';
import { keepRenewed } from './uplink/renewal.ts';
import { SessionKey } from './uplink/session-key.ts';
import { copyToken } from './uplink/token.ts';

/** A relay with a session of its own. Exactly one of `gatewayUrl` and `wsUrl` says where the gateway is. */
export interface GatewayRelayOptions extends Omit<RelayPlace, 'limits'> {
  /** `https://host[:port][/prefix]`. */
  readonly gatewayUrl?: string;
  /** `wss://host[:port][/prefix]/v1/code/upstreamproxy/ws`. */
  readonly wsUrl?: string;
  /**
   * The session token. It is exchanged once, and worthless from then on. Bytes are cleared when the session is committed; a text stays in
   * memory until the runtime collects it.
   */
  readonly token: string | Uint8Array;
  /** What the caller calls the session, up to 128 characters of printable ASCII without spaces: the gateway's audit has it beside its own id. */
  readonly sessionId?: string;
  /** PEM, or the path of a PEM file, of what may have signed the gateway's certificate. Default: the system bundle. */
  readonly gatewayCa?: string;
  /** `sha256/BASE64` of public keys, one of which must be in the gateway's chain, beside the trust in `gatewayCa`. */
  readonly gatewayPins?: readonly string[];
  /** The system's PEM bundle, where it is not at a usual place. */
  readonly systemCaPath?: string;
  /** Environment to check for what could read this process. Default: that of this process. */
  readonly environment?: Environment;
  readonly limits?: Partial<Limits>;
  /** Cancels the start. A relay that runs is ended by `close`. */
  readonly signal?: AbortSignal;
  /** Sends the token even from a process that could not be hardened. */
  readonly dangerouslyAllowUnhardened?: boolean;
  /** Allows `http://` and `ws://` to a loopback address, in the clear. For tests. */
  readonly dangerouslyAllowPlainGateway?: boolean;
}

/** A relay with its session, which ends with it. */
export interface GatewayRelay extends Relay {
  /** As the gateway calls it: what `session list` and `session revoke` take. */
  readonly sessionId: string;
  readonly posture: Posture;
  /** Resolves with what ended the session for good (revoked, expired), or undefined after `close`. */
  readonly ended: Promise<ProxyError | undefined>;
}

const placeForms = { port: relayPort, socketPath: text, host: text, limits: thing, logger: thing };
const tunnelForms = { ...placeForms, tunnel: thing } satisfies Record<keyof RelayOptions, OptionForm>;
const gatewayForms = {
  ...placeForms,
  gatewayUrl: text,
  wsUrl: text,
  token: tokenText,
  sessionId: text,
  gatewayCa: text,
  gatewayPins: texts,
  systemCaPath: text,
  environment: thing,
  signal: thing,
  dangerouslyAllowUnhardened: flag,
  dangerouslyAllowPlainGateway: flag,
} satisfies Record<keyof GatewayRelayOptions, OptionForm>;

/** See the library. */
export function startUpstreamProxyRelay(options: GatewayRelayOptions): Promise<GatewayRelay>;
export function startUpstreamProxyRelay(options: RelayOptions): Promise<Relay>;
export async function startUpstreamProxyRelay(options: GatewayRelayOptions | RelayOptions): Promise<Relay> {
  if ('tunnel' in options && options.tunnel !== undefined) {
    requireKnownOptions('startUpstreamProxyRelay with a tunnel', options, tunnelForms);
    return await startRelay(options);
  }
  requireKnownOptions('startUpstreamProxyRelay', options, gatewayForms);
  // The forms are those of this type, and a tunnel is none of them.
  return await startGatewayRelay(options as GatewayRelayOptions);
}

async function startGatewayRelay(options: GatewayRelayOptions): Promise<GatewayRelay> {
  const { token: given, signal, logger = standardErrorLogger } = options;
  const limits = limitsWith(options.limits);
  await using stack = new AsyncDisposableStack();
  const gateway = await openGatewayOf(options, limits, stack);
  // Before the token is copied, although the caller had it before.
  const hardening = stack.use(
    hardenProcess({
      environment: options.environment ?? process.env,
      scrubEnvironment: false,
      dangerouslyAllowUnhardened: options.dangerouslyAllowUnhardened ?? false,
      logger,
    }),
  );
  // Listening comes first: a port that is taken must not cost an enrolment.
  let client: ChunkClient | undefined;
  const tunnel = laterTunnel(() => client);
  const relay = stack.use(await startRelay({ ...placeOf(options), tunnel, limits, logger }));
  const token = copyToken(given, limits);
  stack.defer(() => token.zero());
  const session = await enrol({
    gateway,
    token,
    key: await SessionKey.generate(),
    posture: hardening.posture,
    ...(options.sessionId === undefined ? {} : { callerSession: options.sessionId }),
    limits,
    ...(signal === undefined ? {} : { signal }),
  });
  client = stack.use(await ChunkClient.open({ session, limits }, signal));
  await commit(session, limits, signal);
  if (typeof given !== 'string') given.fill(0);
  const life = new AbortController();
  stack.defer(() => life.abort());
  void keepSession({ session, client, limits, logger, signal: life.signal });
  const { posture } = hardening;
  return gatewayRelay({ stack: stack.move(), relay, session, client, posture, logger });
}

async function openGatewayOf(
  options: GatewayRelayOptions,
  limits: Limits,
  stack: AsyncDisposableStack,
): Promise<Gateway> {
  const { gatewayUrl, wsUrl, token, sessionId, gatewayCa, gatewayPins } = options;
  const refuse = (reason: string): never => {
    throw new ProxyError('config_invalid', `startUpstreamProxyRelay: ${reason}`);
  };
  if ((gatewayUrl === undefined) === (wsUrl === undefined))
    refuse('name the gateway once, by gatewayUrl or by wsUrl');
  if (token === undefined) refuse('the session token is missing (token)');
  if (sessionId !== undefined && !/^[\x21-\x7e]{1,128}$/.test(sessionId))
    refuse('sessionId must be 1 to 128 characters of printable ASCII without spaces');
  return await openSessionGateway(
    {
      gatewayUrl: gatewayUrl ?? gatewayUrlOfTunnel(wsUrl ?? ''),
      ...(gatewayCa === undefined ? {} : { gatewayCa }),
      ...(gatewayPins === undefined ? {} : { gatewayPins }),
      dangerouslyAllowPlainGateway: options.dangerouslyAllowPlainGateway ?? false,
      limits,
    },
    readSystemBundle(options.systemCaPath),
    stack,
  );
}

function placeOf({
  port,
  socketPath,
  host,
}: GatewayRelayOptions): Pick<RelayPlace, 'port' | 'socketPath' | 'host'> {
  return {
    ...(port === undefined ? {} : { port }),
    ...(socketPath === undefined ? {} : { socketPath }),
    ...(host === undefined ? {} : { host }),
  };
}

interface KeptSession {
  readonly session: AgentSession;
  readonly client: ChunkClient;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

async function keepSession({ client, ...renewal }: KeptSession): Promise<void> {
  const failure = await keepRenewed(renewal);
  if (failure !== undefined) client.destroy(failure);
}

interface GatewayRelayParts {
  readonly stack: AsyncDisposableStack;
  readonly relay: Relay;
  readonly session: AgentSession;
  readonly client: ChunkClient;
  readonly posture: Posture;
  readonly logger: Logger;
}

function gatewayRelay({ stack, relay, session, client, posture, logger }: GatewayRelayParts): GatewayRelay {
  let closed: Promise<void> | undefined;
  const end = async (drainMs: number): Promise<void> => {
    await relay.close({ drainMs });
    await endAtGateway(session, logger);
    await stack.disposeAsync();
  };
  // A second call may be in more of a hurry.
  const close = async ({ drainMs = 0 }: { readonly drainMs?: number } = {}): Promise<void> => {
    if (closed !== undefined) await relay.close({ drainMs });
    closed ??= end(drainMs);
    await closed;
  };
  return {
    port: relay.port,
    ...(relay.socketPath === undefined ? {} : { socketPath: relay.socketPath }),
    hosts: relay.hosts,
    get connectionCount() {
      return relay.connectionCount;
    },
    sessionId: session.id,
    posture,
    ended: client.ended,
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}
