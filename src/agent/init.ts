// initUpstreamProxy: the library's one entry point. It fails open, as a library must, and says so once.

import { lstatSync } from 'node:fs';
import { ProxyError, asProxyError } from '../protocol/error.ts';
import {
  callback,
  count,
  flag,
  oneOf,
  type OptionForm,
  relayPort,
  requireKnownOptions,
  text,
  texts,
  thing,
} from '../protocol/known-options.ts';
import { type Limits, limitsWith } from '../protocol/limits.ts';
import type { Posture } from '../protocol/session-messages.ts';
import type { WorkloadFiles } from './trust/workload-stores.ts';
import type { Environment } from './hardening/environment-scrub.ts';
import type { CaptureStarter } from './capture/capture.ts';
import type { JailFacts } from './jail/jail-facts.ts';
import { type Logger, standardErrorLogger } from '../system/logger.ts';
import { type DisabledProxy, disabledProxy } from './disabled-proxy.ts';
import type { TokenSource } from './session-steps.ts';
import type { ToldRefusals } from './uplink/session-refusals.ts';
import { parseDatagramMappings } from './relay/datagram-mapping.ts';
import { defaultTokenFile } from './uplink/token.ts';
import { type LoopbackFacts, type OpenSession, openSession } from './session.ts';
import type { CloseOptions } from './uplink/tunnel-client.ts';

export interface InitOptions {
  /** `https://host[:port][/prefix]`. Without it, and without a token, the proxy is off and nothing happens. */
  readonly gatewayUrl?: string;
  /**
   * File with the session token: owned by this user or root, mode 0600 or less, no link. Erased once used. With a gateway URL and neither
   * this nor `tokenFd`, /run/secrets/upstreamproxy-token, if it is there.
   */
  readonly tokenFile?: string;
  /** Inherited descriptor to read the session token from, instead of a file. Closed once read. */
  readonly tokenFd?: number;
  /** PEM, or the path of a PEM file, of what may have signed the gateway's certificate. Default: the system bundle. */
  readonly gatewayCa?: string;
  /** `sha256/BASE64` of public keys, one of which must be in the gateway's chain, beside the trust in `gatewayCa`. */
  readonly gatewayPins?: readonly string[];
  /** Folder for the trust files. Default: a fresh one below the temporary folder, removed again. */
  readonly stateDirectory?: string;
  /** Port of the relay on loopback; 0, the default, takes a free one; `off` listens on `relaySocket` alone. */
  readonly relayPort?: number | 'off';
  /** Absolute path of a Unix socket for the relay, in a folder of this user alone. Removed again. */
  readonly relaySocket?: string;
  /**
   * Where TLS of clients ends. `agent`, the default: here, by a root of this session alone, on each tunnel for which it is proven that
   * nobody else ends the TLS to the gateway, else in the gateway. `gateway`: always there.
   */
  readonly tlsEndsIn?: 'agent' | 'gateway';
  /** The system's PEM bundle, where it is not at a usual place. */
  readonly systemCaPath?: string;
  /** Environment to check, and base for the workload's. Default: that of this process. */
  readonly environment?: Environment;
  /** Base for the workload's environment, where it differs from `environment`. */
  readonly baseEnvironment?: Environment;
  /** Delete from `environment` what could steer this process. For programs that own their process; default false. */
  readonly scrubEnvironment?: boolean;
  /** What holds the workload, for the posture, where the caller starts it in a jail; undefined if there is none. */
  readonly jail?: Promise<JailFacts | undefined>;
  /** Opens entrances for a workload in a network of its own, once the relay stands; undefined if it has none. */
  readonly entrances?: CaptureStarter;
  /** Captures names on the container's loopback, by its resolv.conf, where there are no `entrances`. Default false. */
  readonly captureLoopback?: boolean;
  /** Ports for datagrams on 127.0.0.1 of the workload, as `LOCAL=HOST:PORT`, and where what comes there goes by rule. Default: none. */
  readonly datagrams?: readonly string[];
  /** Places files in HOME for clients that read nothing else, where there are none; removed again. Default false. */
  readonly homeFiles?: boolean;
  /** As root: adds the gateway's CA to the system's trust stores; removed again. Default false. */
  readonly systemStore?: boolean;
  /** Program and first arguments of the command line, for ssh with `homeFiles`. */
  readonly connectCommand?: readonly string[];
  /**
   * Serves from a thread of its own, so that commands started by `execFileSync` and the like, which block the caller's, are served too.
   * Not with `jail` or `entrances`, and not in a bundle. Default false.
   */
  readonly ownThread?: boolean;
  /** Default: warnings to standard error. */
  readonly logger?: Logger;
  readonly limits?: Partial<Limits>;
  /** Cancels the start. A session that runs is ended by `close`. */
  readonly signal?: AbortSignal;
  /** `continue`, the default: a fault gives `{ enabled: false, reason }`. `throw`: the ProxyError itself. */
  readonly onFailure?: 'continue' | 'throw';
  /** Reads the token even in a process that could not be hardened. */
  readonly dangerouslyAllowUnhardened?: boolean;
  /** Allows `http://` to a loopback address, in the clear. For tests. */
  readonly dangerouslyAllowPlainGateway?: boolean;
}

/** A proxy that is on. `close()`, or `await using`, ends it and leaves nothing. */
export interface EnabledProxy extends AsyncDisposable {
  readonly enabled: true;
  readonly reason?: undefined;
  readonly error?: undefined;
  /** Variables to set for the workload. */
  readonly env: Readonly<Record<string, string>>;
  /** Port of the relay on loopback; 0 if it has only a socket. */
  readonly port: number;
  readonly posture: Posture;
  readonly sessionId: string;
  /** PEM bundle of the system's roots and the gateway's. */
  readonly caBundlePath: string;
  /** The files that `env` names, for orchestrators that mount or copy them. */
  readonly files: Readonly<WorkloadFiles>;
  /** Variables of the base environment whose value gave way in `env` and is not part of it. */
  readonly displaced: readonly string[];
  /** Ports beside 80 and 443 that the policy opens. */
  readonly capturePorts: readonly number[];
  /** There where names are captured on loopback, with ports that are not, for another server has them. */
  readonly loopbackCapture?: LoopbackFacts;
  /** False if something of the token file could not be erased; the token is used up all the same. */
  readonly tokenErased: boolean;
  /** As the global `fetch`, by way of the relay and with its certificates: for this process itself. */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** Resolves with what ended the session for good (revoked, expired), or undefined after `close`. */
  readonly ended: Promise<ProxyError | undefined>;
  /**
   * What the gateway refused the session so far, equal refusals counted; undefined from one that does not tell. Throws why it could not
   * be had.
   */
  refusals(): Promise<ToldRefusals | undefined>;
  /**
   * Ends: no new connections, up to `drainMs` for the open ones, then resets; all within `withinMs`, of which the last half second is for
   * taking leave. Repeated it waits for the same end, which it may hurry.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** The proxy of this process: `enabled` says which of the two it is. */
export type UpstreamProxy = EnabledProxy | DisabledProxy;

const forms = {
  gatewayUrl: text,
  tokenFile: text,
  tokenFd: count,
  gatewayCa: text,
  gatewayPins: texts,
  stateDirectory: text,
  relayPort,
  relaySocket: text,
  tlsEndsIn: oneOf('agent', 'gateway'),
  systemCaPath: text,
  environment: thing,
  baseEnvironment: thing,
  scrubEnvironment: flag,
  jail: thing,
  entrances: callback,
  captureLoopback: flag,
  datagrams: texts,
  homeFiles: flag,
  systemStore: flag,
  connectCommand: texts,
  ownThread: flag,
  logger: thing,
  limits: thing,
  signal: thing,
  onFailure: oneOf('continue', 'throw'),
  dangerouslyAllowUnhardened: flag,
  dangerouslyAllowPlainGateway: flag,
} satisfies Record<keyof InitOptions, OptionForm>;

/**
 * Hardens this process, exchanges the session token, sets up trust, relay and tunnel, and returns the environment for
 * the workload. By default a fault gives `{ enabled: false, reason, env: {} }` and one warning, with the token file
 * untouched unless the session was already committed.
 */
export async function initUpstreamProxy(options: InitOptions = {}): Promise<UpstreamProxy> {
  const { gatewayUrl, tokenFile, tokenFd } = options;
  const logger = options.logger ?? standardErrorLogger;
  try {
    requireKnownOptions('initUpstreamProxy', options, forms);
    if (gatewayUrl === undefined && tokenFile === undefined && tokenFd === undefined)
      return disabledProxy('not configured: no gateway URL and no session token were given');
    const session = sessionOptions(options, logger);
    if (options.ownThread !== true) return enabled(await openSession(session));
    // Loaded where it is asked for.
    const { openSessionInThread } = await import('./own-thread.ts');
    return enabled(await openSessionInThread(session));
  } catch (error) {
    const fault = asProxyError(error);
    if (options.onFailure === 'throw') throw fault;
    logger.warn(`the proxy is off: ${fault.message} [${fault.code}]`);
    return disabledProxy(fault.message, fault);
  }
}

function sessionOptions(options: InitOptions, logger: Logger): Parameters<typeof openSession>[0] {
  if (options.gatewayUrl === undefined)
    throw new ProxyError('config_invalid', 'a session token but no gateway URL was given');
  // A library hardens the process that it runs in, so by default this one's environment is what counts.
  const environment = options.environment ?? process.env;
  return {
    ...optional('gatewayCa', options.gatewayCa),
    ...optional('gatewayPins', options.gatewayPins),
    ...optional('stateDirectory', options.stateDirectory),
    ...optional('relaySocket', options.relaySocket),
    ...optional('systemCaPath', options.systemCaPath),
    ...optional('tlsEndsIn', options.tlsEndsIn),
    ...optional('jail', options.jail),
    ...optional('entrances', options.entrances),
    ...optional('signal', options.signal),
    ...optional('connectCommand', options.connectCommand),
    captureLoopback: options.captureLoopback ?? false,
    datagrams: parseDatagramMappings(options.datagrams ?? []),
    homeFiles: options.homeFiles ?? false,
    systemStore: options.systemStore ?? false,
    gatewayUrl: options.gatewayUrl,
    token: tokenSource(options),
    relayPort: options.relayPort ?? 0,
    environment,
    baseEnvironment: options.baseEnvironment ?? environment,
    scrubEnvironment: options.scrubEnvironment ?? false,
    dangerouslyAllowPlainGateway: options.dangerouslyAllowPlainGateway ?? false,
    dangerouslyAllowUnhardened: options.dangerouslyAllowUnhardened ?? false,
    limits: limitsWith(options.limits),
    logger,
  };
}

/** The token that was named, or the one at the default place. Throws config_invalid if there is neither. */
export function tokenSource(
  { tokenFd, tokenFile }: Pick<InitOptions, 'tokenFd' | 'tokenFile'>,
  place = defaultTokenFile,
): TokenSource {
  if (tokenFd !== undefined && tokenFile !== undefined) {
    throw new ProxyError('config_invalid', 'give the session token by descriptor or by file, not both');
  }
  if (tokenFd !== undefined) return { fd: tokenFd };
  if (tokenFile !== undefined) return { file: tokenFile };
  if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) return { file: place };
  throw new ProxyError(
    'config_invalid',
    `a gateway URL but no session token was given (tokenFile or tokenFd), and there is none at ${place}`,
  );
}

/** An object with the key only where there is a value, as exact optional properties want it. */
function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  // The computed key is K; TypeScript widens it to string.
  return (value === undefined ? {} : { [key]: value }) as Partial<Record<K, V>>;
}

function enabled(session: OpenSession): EnabledProxy {
  return {
    enabled: true,
    env: session.environment,
    port: session.port,
    posture: session.posture,
    sessionId: session.id,
    caBundlePath: session.files.bundle,
    files: session.files,
    displaced: session.displaced,
    capturePorts: session.capturePorts,
    ...optional('loopbackCapture', session.loopbackCapture),
    tokenErased: session.tokenErased,
    fetch: async (input, init) => await ownFetch(session, input, init),
    ended: session.ended,
    refusals: () => session.refusals(),
    close: (options) => session.close(options),
    [Symbol.asyncDispose]: () => session.close(),
  };
}

async function ownFetch(
  { port, files, environment }: OpenSession,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response> {
  if (port === 0) throw new ProxyError('config_invalid', 'fetch needs the port of the relay, which is off');
  const { fetchThroughRelay } = await import('./caller-fetch.ts');
  return await fetchThroughRelay(
    { port, noProxy: environment['NO_PROXY'] ?? '', bundlePath: files.bundle },
    input,
    init,
  );
}
