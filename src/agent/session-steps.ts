// The steps of a session's life that need no other's state, each with the reason for its place.

import type { ErrorCode } from '../protocol/error-table.ts';
import { ProxyError, asProxyError } from '../protocol/error.ts';
import { defaultLimits, type Limits } from '../protocol/limits.ts';
import type { Logger } from '../system/logger.ts';
import { type Environment, scrubEnvironment } from './hardening/environment-scrub.ts';
import { harden, requireHardened } from './hardening/posture.ts';
import { TrustFiles } from './trust/trust-files.ts';
import { RepeatedLook } from '../system/repeated-look.ts';
import { askedDelayMs } from './uplink/asked-delay.ts';
import { beforeAbort, delay, reconnectDelayMs } from './uplink/delay.ts';
import type { AgentSession } from './uplink/enrol.ts';
import { keepRenewed } from './uplink/renewal.ts';
import { readTokenDescriptor, readTokenFile, type SessionToken } from './uplink/token.ts';
import type { TunnelClient } from './uplink/tunnel-client.ts';

/** Where the session token waits: a file, or a descriptor that was inherited. */
export type TokenSource = { readonly file: string } | { readonly fd: number };

export interface HardeningOptions {
  readonly environment: Environment;
  readonly scrubEnvironment: boolean;
  readonly dangerouslyAllowUnhardened: boolean;
  readonly logger: Logger;
}

/** Before any secret is touched. @throws ProxyError of what could not be hardened, unless that was allowed */
export function hardenProcess(options: HardeningOptions): ReturnType<typeof harden> {
  const { environment, dangerouslyAllowUnhardened, logger } = options;
  if (options.scrubEnvironment) scrubEnvironment(environment);
  const hardening = harden({ environment });
  try {
    if (!dangerouslyAllowUnhardened) requireHardened(hardening);
  } catch (error) {
    hardening[Symbol.dispose]();
    throw error;
  }
  for (const failure of hardening.failures) logger.warn(`not hardened: ${failure}`);
  return hardening;
}

/** The trust files, begun before the session is there; `ahead` ends what is still asked for, which is not waited for. */
export function openTrustAhead(
  options: Parameters<typeof TrustFiles.open>[0],
  ahead: AbortController,
  stack: AsyncDisposableStack,
): Promise<TrustFiles> {
  if (options.system === undefined)
    options.logger.warn('no system CA bundle was found; the workload trusts the gateway alone');
  const opening = TrustFiles.open(options);
  opening.catch(() => {});
  stack.defer(async () => {
    ahead.abort();
    await (await opening.catch(() => undefined))?.[Symbol.asyncDispose]();
  });
  return opening;
}

/** The trust files, with the servers of SSH that the session knows, and the program by which it has things signed. */
export async function trustWithHosts(
  opening: Promise<TrustFiles>,
  { response }: Pick<AgentSession, 'response'>,
  ownCommand: readonly string[] | undefined,
): Promise<TrustFiles> {
  const trust = await opening;
  await trust.setKnownHosts(response.known_hosts);
  const key = response.signing?.key;
  if (key !== undefined && ownCommand !== undefined) await trust.setGitSign({ command: ownCommand, key });
  return trust;
}

/** Whether the file is gone; the token is used up in any case. */
export function eraseToken(token: SessionToken, logger: Logger): boolean {
  const erasure = token.erase();
  if (!erasure.erased)
    logger.warn(`the token file could not be erased: ${erasure.reason}; the token is used up`);
  return erasure.erased;
}

export async function readToken(source: TokenSource, limits: Limits): Promise<SessionToken> {
  return 'fd' in source ? readTokenDescriptor(source.fd, limits) : readTokenFile(source.file, limits);
}

/**
 * A ping through the tunnel and back: before it, nothing proves that the gateway serves this session. Gives where TLS of clients ends,
 * on which the two have agreed by then.
 */
export async function proveTunnel(
  client: Pick<TunnelClient, 'roundTrip' | 'agreed'>,
  limits: Limits,
  signal: AbortSignal | undefined,
): Promise<'agent' | 'gateway'> {
  const deadline = AbortSignal.timeout(limits.enrolTimeoutMs);
  const end = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  try {
    await client.roundTrip(end);
    return (await beforeAbort(client.agreed, end)) === undefined ? 'agent' : 'gateway';
  } catch (error) {
    if (!deadline.aborted) throw error;
    const message = `the tunnel carried no response within ${limits.enrolTimeoutMs} ms`;
    throw new ProxyError('gateway_protocol', message, { cause: error });
  }
}

const passingCodes: ReadonlySet<string> = new Set<ErrorCode>([
  'gateway_unreachable',
  'timeout',
  'shutting_down',
  'store_unavailable',
]);

export async function commit(
  session: AgentSession,
  limits: Limits,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await session.commit(signal);
    } catch (error) {
      const failure = asProxyError(error);
      const isPassing = passingCodes.has(failure.code) || failure.retryAfterSeconds !== undefined;
      if (!isPassing || attempt + 1 >= defaultLimits.commitAttemptsMax) throw error;
      const askedMs = askedDelayMs(failure, Math.random);
      const waitMs = Math.max(askedMs, reconnectDelayMs(attempt, limits, Math.random));
      await delay(waitMs, signal ?? new AbortController().signal);
    }
  }
}

/** A gateway that begins to rotate its CA signs with the next one two minutes later at the earliest. */
const trustLookIntervalMs = 40_000;

/** Keeps the trust files those of the gateway's certificates, which may change at any time. */
export function followTrust(
  trust: TrustFiles,
  logger: Logger,
  intervalMs: number = trustLookIntervalMs,
): RepeatedLook {
  // Told once, and again when it is another one.
  let told = '';
  const following = new RepeatedLook({
    look: async (signal) => {
      if (await trust.refresh(signal)) logger.info('the CA bundle has the new certificates of the gateway');
      told = '';
    },
    intervalMs,
    onFault: ({ code, message }) => {
      if (code === 'cancelled' || message === told) return;
      told = message;
      logger.warn(`the CA bundle stays as it is: ${message}`);
    },
  });
  following.start();
  return following;
}

interface Supervision {
  readonly session: AgentSession;
  readonly client: TunnelClient;
  readonly following: Pick<RepeatedLook, 'now'>;
  /** Whose known hosts are the session's own; a session of another one has those. */
  readonly trust?: Pick<TrustFiles, 'setKnownHosts'>;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export async function superviseRenewal({ client, following, trust, ...renewal }: Supervision): Promise<void> {
  const failure = await keepRenewed({
    ...renewal,
    onRenewed: async () => {
      await trust?.setKnownHosts(renewal.session.response.known_hosts);
      // The gateway may have begun to rotate its CA.
      await following.now();
    },
  });
  if (failure !== undefined) client.destroy(failure);
}

export async function endAtGateway(session: AgentSession, logger: Logger, late?: AbortSignal): Promise<void> {
  try {
    const deadline = AbortSignal.timeout(defaultLimits.sessionEndTimeoutMs);
    await session.end(late === undefined ? deadline : AbortSignal.any([deadline, late]));
  } catch (error) {
    logger.info(`the session was not ended at the gateway: ${asProxyError(error).message}`);
  }
}
