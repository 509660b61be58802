// The public library: four functions and their types.

export { initUpstreamProxy, type InitOptions, type UpstreamProxy } from './agent/init.ts';
export { startUpstreamProxyRelay, type Relay, type RelayOptions } from './agent/relay/relay.ts';
export type { RelayTunnel } from './agent/relay/relay-connection.ts';
export { downloadCaBundle, type CaBundle, type DownloadCaBundleOptions } from './agent/trust/trust.ts';
export { setNonDumpable, type NonDumpable } from './agent/hardening/posture.ts';
export type { Logger } from './system/logger.ts';
export type { Posture } from './protocol/session-messages.ts';
export { ProxyError } from './protocol/error.ts';
export type { ErrorCode } from './protocol/error-table.ts';
export type { Limits } from './protocol/limits.ts';
