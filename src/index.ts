// The public library: four functions and their types.

export { initUpstreamProxy, type InitOptions, type UpstreamProxy } from './agent/init.ts';
export { startUpstreamProxyRelay, type Relay, type RelayOptions, type RelayTunnel } from './agent/relay.ts';
export { downloadCaBundle, type CaBundle, type DownloadCaBundleOptions } from './agent/trust.ts';
export { setNonDumpable, type NonDumpable } from './agent/hardening/posture.ts';
export type { Logger } from './agent/logger.ts';
export type { Posture } from './protocol/session-messages.ts';
export { ProxyError, type ErrorCode } from './protocol/error.ts';
export type { Limits } from './protocol/limits.ts';
