// The gateway of a session: by which certificates it is trusted, how its name is found, and the first connections to it.

import { readFileSync } from 'node:fs';
import type { Limits } from '../protocol/limits.ts';
import { isAgentResolvConf, resolvConfPath } from './placements/resolv-conf.ts';
import { dialGateway, type Gateway, openGateway } from './uplink/gateway-connection.ts';
import { builtInRoots, fetchCertificates, readGatewayCa } from './trust/trust.ts';

export interface SessionGatewayOptions {
  readonly gatewayUrl: string;
  readonly gatewayCa?: string;
  readonly gatewayPins?: readonly string[];
  readonly dangerouslyAllowPlainGateway: boolean;
  /** The system's names will lead to this agent. */
  readonly captureLoopback?: boolean;
  readonly limits: Limits;
}

/** What is opened here is put on the stack. Throws config_invalid. `system` is the PEM bundle of the system, if there is one. */
export async function openSessionGateway(
  options: SessionGatewayOptions,
  system: string | undefined,
  stack: AsyncDisposableStack,
): Promise<Gateway> {
  const ca = options.gatewayCa === undefined ? (system ?? builtInRoots()) : readGatewayCa(options.gatewayCa);
  const { gatewayPins: pins, dangerouslyAllowPlainGateway, limits } = options;
  // Loaded where it is needed, which is seldom.
  const names =
    options.captureLoopback === true || namesLeadToAgent()
      ? stack.use((await import('./uplink/gateway-names.ts')).openGatewayNames({ limits }))
      : undefined;
  const gateway = openGateway(options.gatewayUrl, {
    ca,
    ...(pins === undefined ? {} : { pins }),
    ...(names === undefined ? {} : { lookup: names.lookup }),
    dangerouslyAllowPlainGateway,
  });
  stack.use(gateway.kept);
  return gateway;
}

/** Another session captures them, or was killed while it did. */
function namesLeadToAgent(): boolean {
  try {
    return isAgentResolvConf(readFileSync(resolvConfPath, 'latin1'));
  } catch {
    return false;
  }
}

/**
 * Everything that needs no secret, while the token is read and the jail gets ready: connections for enrolment and
 * tunnel, and the certificates. Faults are told where the results are used.
 */
export function reachGateway(
  gateway: Gateway,
  limits: Limits,
  signal: AbortSignal,
): ReturnType<typeof fetchCertificates> {
  for (let count = 0; count < 2; count++) gateway.kept.warm(() => dialGateway(gateway, limits, signal));
  const certificates = fetchCertificates(gateway, limits, { signal });
  certificates.catch(() => {});
  return certificates;
}
