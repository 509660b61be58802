// The life of a session in its fixed order; each step is real before the next one begins.

import { dirname } from 'node:path';

import type { ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import type { Posture } from '../protocol/session-messages.ts';
import type { Capture, CaptureStarter } from './capture/capture.ts';
import { entrancePorts } from './capture/entrances.ts';
import { openCapture } from './capture/open-capture.ts';
import { Children, type MakingSession } from './children.ts';
import { type AgentSession, enrol } from './uplink/enrol.ts';
import {
  captureVariable,
  displacedVariables,
  relaySocketVariable,
  workloadEnvironment,
} from './environment.ts';
import type { WorkloadFiles } from './trust/workload-stores.ts';
import type { Environment } from './hardening/environment-scrub.ts';
import { type JailFacts, postureWithJail } from './jail/jail-facts.ts';
import type { Logger } from '../system/logger.ts';
import { ClientTls } from './relay/client-tls.ts';
import { serveDatagramPorts } from './relay/datagram-ports.ts';
import type { DatagramMapping } from './relay/datagram-mapping.ts';
import { type Relay, startRelay } from './relay/relay.ts';
import type { SshAgentSocket } from './relay/ssh-agent-socket.ts';
import { laterTunnel } from './relay/later-tunnel.ts';
import { SessionEnd } from './session-end.ts';
import { openSessionGateway, reachGateway } from './session-gateway.ts';
import { SessionKey } from './uplink/session-key.ts';
import {
  commit,
  endAtGateway,
  eraseToken,
  followTrust,
  hardenProcess,
  openTrustAhead,
  proveTunnel,
  readToken,
  superviseRenewal,
  trustWithHosts,
  type TokenSource,
} from './session-steps.ts';
import { readSystemBundle, systemBundlePaths } from './trust/trust.ts';
import type { TrustFiles } from './trust/trust-files.ts';
import { askRefusals, type ToldRefusals } from './uplink/session-refusals.ts';
import type { Gateway } from './uplink/gateway-connection.ts';
import { type CloseOptions, TunnelClient } from './uplink/tunnel-client.ts';

export interface SessionOptions {
  readonly gatewayUrl: string;
  readonly token: TokenSource;
  readonly gatewayCa?: string;
  readonly gatewayPins?: readonly string[];
  readonly dangerouslyAllowPlainGateway: boolean;
  readonly stateDirectory?: string;
  readonly relayPort: number | 'off';
  readonly relaySocket?: string;
  readonly systemCaPath?: string;
  readonly dangerouslyAllowUnhardened: boolean;
  /** This process's environment: checked for what could read the agent. */
  readonly environment: Environment;
  readonly scrubEnvironment: boolean;
  /** The process was hardened by whoever starts the session, with this result. */
  readonly posture?: Posture;
  /** The environment that the workload would have without us. */
  readonly baseEnvironment: Environment;
  /** What holds the workload, for the posture; needed when the session enrols. */
  readonly jail?: Promise<JailFacts | undefined>;
  readonly entrances?: CaptureStarter;
  /** Without them: capture on the container's loopback. */
  readonly captureLoopback?: boolean;
  /** Ports for datagrams, and where they lead. */
  readonly datagrams?: readonly DatagramMapping[];
  /** Files in HOME for clients that read nothing else; and the system's trust, as root. */
  readonly homeFiles?: boolean;
  readonly systemStore?: boolean;
  /** This program and its first arguments, for ssh (`connect`) and for git where the gateway signs (`git-sign`). */
  readonly connectCommand?: readonly string[];
  readonly limits: Limits;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
  /** Where TLS of clients ends; in the agent, the default, only on tunnels for which that was proven safe. */
  readonly tlsEndsIn?: 'agent' | 'gateway';
  /** How often the gateway is asked for its certificates; below a minute. */
  readonly trustLookIntervalMs?: number;
}

/** The moments after which something can have gone wrong; tests break the life at each. */
export type SessionStep =
  | 'hardened'
  | 'token-read'
  | 'enrolled'
  | 'trusted'
  | 'relay-up'
  | 'proven'
  | 'token-erased'
  | 'committed';

/** Of capture on the container's loopback. */
export interface LoopbackFacts {
  /** Ports that are not captured, for a server of the container has them. */
  readonly takenPorts: readonly number[];
}

export interface OpenSession {
  readonly id: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly port: number;
  readonly posture: Posture;
  readonly files: WorkloadFiles;
  /** Variables in which the user's value gave way to ours. */
  readonly displaced: readonly string[];
  readonly capturePorts: readonly number[];
  readonly loopbackCapture: LoopbackFacts | undefined;
  readonly tokenErased: boolean;
  /** Resolves with what ended the session for good, or undefined after `close`. */
  readonly ended: Promise<ProxyError | undefined>;
  /** What the gateway refused it so far; undefined from one that does not tell. Throws why it could not be had. */
  refusals(): Promise<ToldRefusals | undefined>;
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Opens a session, from hardening to commit. Throws a ProxyError and leaves nothing behind: no file, no listener,
 * and before the commit the token as it was.
 */
export async function openSession(
  options: SessionOptions,
  atStep: (step: SessionStep) => void | Promise<void> = () => {},
): Promise<OpenSession> {
  const { limits, logger, signal } = options;
  await using stack = new AsyncDisposableStack();
  const system = readSystemBundle(options.systemCaPath);
  const gateway = await openSessionGateway(options, system, stack);

  const own = options.posture ?? stack.use(hardenProcess(options)).posture;
  await atStep('hardened');

  const ahead = new AbortController();
  stack.defer(() => ahead.abort());
  const early = signal === undefined ? ahead.signal : AbortSignal.any([signal, ahead.signal]);
  const certificates = reachGateway(gateway, limits, early);
  const token = await readToken(options.token, limits);
  // Enrolment zeroes it; this is for what may fail in between.
  stack.defer(() => token.zero());
  await atStep('token-read');

  // While the jail gets ready: what needs no session.
  const key = SessionKey.generate();
  key.catch(() => {});
  const clientTls = openClientTls(options, gateway, stack);
  const ownRoot = clientTls?.rootPem;
  const opening = openTrustAhead({ ...options, gateway, system, first: certificates, ownRoot }, ahead, stack);
  let client: TunnelClient | undefined;
  const children = stack.use(new Children({ limits, logger }));
  const listening = listenAhead(options, () => client, { stack, clientTls, children });
  const posture = postureWithJail(own, await options.jail);
  const cancel = signal === undefined ? {} : { signal };
  const session = await enrol({ gateway, token, key: await key, posture, limits, ...cancel });
  // Ending it would revoke the token, which the next start needs; without a commit the session ends by itself.
  let endsByItself = true;
  stack.defer(() => (endsByItself ? undefined : endAtGateway(session, logger)));
  await atStep('enrolled');

  const trust = await trustWithHosts(opening, session, options.connectCommand);
  await atStep('trusted');

  const link = { session, limits, logger, asksForModes: clientTls !== undefined };
  client = stack.use(await TunnelClient.open(link, signal));
  const proof = proveTunnel(client, limits, signal);
  proof.catch(() => {});
  const relay = await listening;
  const capture = stack.use(await openSessionCapture(options, relay, session, { tunnel: client, clientTls }));
  await serveDatagramPorts(options, { tunnel: client, udp: capture?.udp, stack });
  const sshAgent = await openBeside(options, { relay, session, trust, client, stack });
  await atStep('relay-up');
  const tlsEndsIn = await proof;
  await atStep('proven');

  const erased = eraseToken(token, logger);
  endsByItself = false;
  await atStep('token-erased');
  await commit(session, limits, signal);
  await atStep('committed');

  const life = new AbortController();
  stack.defer(() => life.abort());
  const following = stack.use(followTrust(trust, logger, options.trustLookIntervalMs));
  void superviseRenewal({ session, client, following, trust, limits, logger, signal: life.signal });
  // From here on it is the end that tells the gateway, in its order.
  endsByItself = true;
  const known = { session, client, relay, capture, trust, ...(sshAgent === undefined ? {} : { sshAgent }) };
  const end = new SessionEnd({ ...known, life, logger, stack: stack.move() });
  const running = new RunningSession({ ...known, end, options, erased, posture: { ...posture, tlsEndsIn } });
  children.begin({ session, clientTls, ...running.forChildren });
  return running;
}

function openSessionCapture(
  { limits, logger, entrances, captureLoopback, baseEnvironment: base, datagrams = [] }: SessionOptions,
  relay: Relay,
  session: AgentSession,
  { tunnel, clientTls }: { readonly tunnel: TunnelClient; readonly clientTls: ClientTls | undefined },
): Promise<Capture | undefined> {
  return openCapture({
    ports: {
      ...entrancePorts(relay.port, session.response.capture_ports, limits.capturePortsMax),
      udp: datagrams.map(({ port }) => port),
    },
    context: { tunnel, limits, logger, ...(clientTls === undefined ? {} : { clientTls }) },
    entrances,
    onLoopback: captureLoopback === true,
    base,
  });
}

interface Beside {
  readonly relay: Relay;
  readonly session: AgentSession;
  readonly trust: TrustFiles;
  readonly client: TunnelClient;
  readonly stack: AsyncDisposableStack;
}

/** Files outside, and an agent for clients of SSH, where the session may have something signed for them. Both are seldom. */
async function openBeside(
  options: SessionOptions,
  { relay, session, trust, client: tunnel, stack }: Beside,
): Promise<SshAgentSocket | undefined> {
  stack.use(await placeOutside(options, relay.port, trust));
  if (session.response.ssh_agent !== true) return undefined;
  const { limits, logger } = options;
  const { openSshAgentSocket } = await import('./relay/ssh-agent-socket.ts');
  const directory = dirname(trust.paths.bundle);
  const opened = await openSshAgentSocket({ directory, tunnel, limits, logger });
  if (typeof opened !== 'string') return stack.use(opened);
  logger.warn(`clients of SSH have no agent: ${opened}`);
  return undefined;
}

/** Without TLS to the gateway there is nothing that could be proven. */
function openClientTls(
  { tlsEndsIn, limits }: SessionOptions,
  { address }: Gateway,
  stack: AsyncDisposableStack,
): ClientTls | undefined {
  if (tlsEndsIn === 'gateway' || !address.secure) return undefined;
  return stack.use(new ClientTls({ limits, gatewayHost: address.host }));
}

/** The relay, before there is a session: it refuses until there is a tunnel. */
function listenAhead(
  { relayPort: port, relaySocket, limits, logger }: SessionOptions,
  current: () => TunnelClient | undefined,
  {
    stack,
    clientTls,
    children,
  }: {
    readonly stack: AsyncDisposableStack;
    readonly clientTls: ClientTls | undefined;
    readonly children: Children;
  },
): Promise<Relay> {
  const place = { port, ...(relaySocket === undefined ? {} : { socketPath: relaySocket }), limits, logger };
  const listening = startRelay({ tunnel: laterTunnel(current), ...place }, clientTls, children.serve);
  listening.catch(() => {});
  stack.defer(async () => await (await listening.catch(() => undefined))?.close());
  return listening;
}

/** Loaded where it is asked for, which is seldom. */
async function placeOutside(
  options: SessionOptions,
  port: number,
  trust: TrustFiles,
): Promise<AsyncDisposable | undefined> {
  if (options.homeFiles !== true && options.systemStore !== true) return undefined;
  const { placeOutsideFiles } = await import('./home-files/outside-files.ts');
  const { baseEnvironment: base, homeFiles = false, systemStore = false, connectCommand, logger } = options;
  return await placeOutsideFiles({
    base,
    homeFiles,
    systemStore,
    connectCommand,
    port,
    files: trust.paths,
    logger,
  });
}

interface RunningParts {
  readonly session: AgentSession;
  readonly client: TunnelClient;
  readonly relay: Relay;
  readonly capture: Capture | undefined;
  readonly end: SessionEnd;
  readonly trust: TrustFiles;
  readonly sshAgent?: SshAgentSocket;
  readonly posture: Posture;
  readonly options: SessionOptions;
  readonly erased: boolean;
}

class RunningSession implements OpenSession {
  readonly id: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly port: number;
  readonly posture: Posture;
  readonly files: WorkloadFiles;
  readonly displaced: readonly string[];
  readonly capturePorts: readonly number[];
  readonly loopbackCapture: LoopbackFacts | undefined;
  readonly tokenErased: boolean;
  readonly ended: Promise<ProxyError | undefined>;
  readonly forChildren: Pick<MakingSession, 'environment' | 'relaySockets'>;
  readonly #client: TunnelClient;
  readonly #session: AgentSession;
  readonly #end: SessionEnd;

  constructor({ end, ...parts }: RunningParts) {
    const { session, client, relay, capture, trust, sshAgent, posture, options, erased } = parts;
    this.#client = client;
    this.#session = session;
    this.#end = end;
    this.id = session.id;
    this.port = relay.port;
    this.posture = posture;
    this.files = trust.paths;
    this.capturePorts = session.response.capture_ports;
    this.loopbackCapture = capture?.form === 'loopback' ? { takenPorts: capture.takenPorts } : undefined;
    this.tokenErased = erased;
    this.ended = client.ended;
    const facts = {
      port: relay.port,
      files: trust.paths,
      base: options.baseEnvironment,
      placeholders: session.response.placeholders,
      signing: session.response.signing,
    };
    const ofAgent = sshAgent === undefined ? {} : { sshAgent: sshAgent.path };
    const own = { ...facts, files: { ...facts.files, ...ofAgent } };
    const environment = workloadEnvironment(own);
    this.displaced = displacedVariables(own, environment, systemBundlePaths);
    this.environment = {
      ...environment,
      ...(capture === undefined ? {} : { [captureVariable]: '1' }),
      ...(relay.socketPath === undefined ? {} : { [relaySocketVariable]: relay.socketPath }),
    };
    this.forChildren = {
      environment: {
        of: (port, { placeholders, signing }) =>
          workloadEnvironment({ ...facts, port, placeholders, signing }),
        own: () => Object.keys(this.environment),
      },
      // What it signs is for this session.
      relaySockets: [relay.socketPath, sshAgent?.path].filter((path) => path !== undefined),
    };
  }

  refusals(): Promise<ToldRefusals | undefined> {
    return askRefusals(this.#client, this.#session.response.modes);
  }

  close(options?: CloseOptions): Promise<void> {
    return this.#end.close(options);
  }
}
