// The public library: six functions and their types. It can be imported under runtimes that it does not work under, to say so.

import { disabledProxy } from './agent/disabled-proxy.ts';
import { type NonDumpable, setNonDumpable as clearDumpable } from './agent/hardening/posture.ts';
import type { InitOptions, UpstreamProxy } from './agent/init.ts';
import type { NarrowedSession, NarrowOptions } from './agent/narrow-session.ts';
import type { Relay, RelayOptions } from './agent/relay/relay.ts';
import type { GatewayRelay, GatewayRelayOptions } from './agent/start-relay.ts';
import type { DownloadCaBundleOptions } from './agent/trust/download-ca-bundle.ts';
import type { CaBundle, WriteCaBundleOptions } from './agent/trust/trust.ts';
import { standardErrorLogger } from './system/logger.ts';
import { requireRuntime, runtimeProblem } from './system/runtime-support.ts';

export type { DisabledProxy } from './agent/disabled-proxy.ts';
export type { EnabledProxy, InitOptions, UpstreamProxy } from './agent/init.ts';
export type { NarrowedSession, NarrowOptions } from './agent/narrow-session.ts';
export type { Relay, RelayOptions } from './agent/relay/relay.ts';
export type { GatewayRelay, GatewayRelayOptions } from './agent/start-relay.ts';
export type { RelayStream } from './agent/relay/join.ts';
export type { RelayTunnel } from './agent/relay/relay-connection.ts';
export type { DownloadCaBundleOptions } from './agent/trust/download-ca-bundle.ts';
export type { CaBundle, WriteCaBundleOptions } from './agent/trust/trust.ts';
export type { NonDumpable } from './agent/hardening/posture.ts';
export type { Logger } from './system/logger.ts';
export type { Posture } from './protocol/session-messages.ts';
export { ProxyError } from './protocol/error.ts';
export type { ErrorCode } from './protocol/error-table.ts';
export type { Limits } from './protocol/limits.ts';

/**
 * Hardens this process, exchanges the session token, sets up trust, relay and tunnel, and returns the environment for
 * the workload. By default a fault gives `{ enabled: false, reason, env: {} }` and one warning, with the token file
 * untouched unless the session was already committed.
 */
export async function initUpstreamProxy(options: InitOptions = {}): Promise<UpstreamProxy> {
  const problem = runtimeProblem();
  if (problem === undefined) return await (await import('./agent/init.ts')).initUpstreamProxy(options);
  if (options.onFailure === 'throw') throw problem;
  // Where nothing is asked for, nobody needs a warning.
  if (Object.keys(options).length > 0)
    (options.logger ?? standardErrorLogger).warn(`the proxy is off: ${problem.message} [${problem.code}]`);
  return disabledProxy(problem.message, problem);
}

/**
 * Starts a relay, CONNECT and absolute-form requests on loopback, with a session of its own: `{ gatewayUrl or wsUrl, token, … }`
 * hardens this process, exchanges the token and carries each connection on a WebSocket of its own (`upstreamproxy.chunk`).
 * With `{ tunnel }` it is the relay alone, in front of any tunnel that opens streams. Throws config_invalid, usage for an
 * address that is not loopback, relay_port_in_use, runtime_unsupported, and what `initUpstreamProxy` gives as its error.
 */
export function startUpstreamProxyRelay(options: GatewayRelayOptions): Promise<GatewayRelay>;
export function startUpstreamProxyRelay(options: RelayOptions): Promise<Relay>;
export async function startUpstreamProxyRelay(options: GatewayRelayOptions | RelayOptions): Promise<Relay> {
  requireRuntime();
  const { startUpstreamProxyRelay: start } = await import('./agent/start-relay.ts');
  return 'tunnel' in options ? await start(options) : await start(options);
}

/**
 * A session that may less than the one of this container, for a program that starts sub-agents: the agent, which is another process,
 * makes it, and ends it with `close` or with this process. It confines nothing: a command that wants to finds the relay of the container.
 * Rejects with what the agent or the gateway refuses it with, config_invalid, usage and runtime_unsupported.
 */
export async function narrowSession(options: NarrowOptions): Promise<NarrowedSession> {
  requireRuntime();
  return await (await import('./agent/narrow-session.ts')).narrowSession(options);
}

/**
 * Fetches the gateway's CA certificates, appends them to the system bundle and writes the whole atomically to `outPath`.
 * `systemCaPath` undefined means the usual places; a missing one is survived. Resolves to true once the bundle is written,
 * and to false, with a warning, when it is not. Rejects with config_invalid for options that are none, and with
 * runtime_unsupported.
 */
export async function downloadCaBundle(
  baseUrl: string,
  systemCaPath: string | undefined,
  outPath: string,
  options: DownloadCaBundleOptions = {},
): Promise<boolean> {
  requireRuntime();
  const { downloadCaBundle: download } = await import('./agent/trust/download-ca-bundle.ts');
  return await download(baseUrl, systemCaPath, outPath, options);
}

/** As `downloadCaBundle`, with the facts as a result and every fault thrown. */
export async function writeCaBundle(
  baseUrl: string,
  systemCaPath: string | undefined,
  outPath: string,
  options: WriteCaBundleOptions = {},
): Promise<CaBundle> {
  requireRuntime();
  return await (
    await import('./agent/trust/trust.ts')
  ).writeCaBundle(baseUrl, systemCaPath, outPath, options);
}

/**
 * Makes this process non-dumpable and verifies it: others of this user can no longer read its memory, environment
 * and descriptors. Linux only; `reason` says what failed. Throws runtime_unsupported, and nothing else.
 */
export function setNonDumpable(): NonDumpable {
  requireRuntime();
  return clearDumpable();
}
