// What one process does for the ports of a gateway, however many serve behind it: it listens, and counts strangers.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo, Server } from 'node:net';
import { ProxyError, asProxyError } from '../protocol/error.ts';
import { descriptorShare } from './admission/descriptor-share.ts';
import { FailureRate } from './admission/enrolment-failures.ts';
import { countStrangers } from './admission/public-connections.ts';
import type { StrangerConnections } from './admission/stranger-connections.ts';
import type { GatewayConfig } from './config/config.ts';
import type { ProxySettings } from './config/proxy-settings.ts';
import type { Limits } from '../protocol/limits.ts';

/** Listens at the public port, or on `descriptor`, which does already. Gives its number. @throws ProxyError gateway_port_unusable */
export async function listen(
  server: Server,
  config: Pick<GatewayConfig, 'listen'>,
  descriptor?: number,
): Promise<number> {
  const { address, port } = config.listen;
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen(descriptor === undefined ? { host: address, port } : { fd: descriptor }, () => {
    resolve(undefined);
  });
  try {
    await promise;
    // A TCP server that listens has a port.
    return (server.address() as AddressInfo).port;
  } catch (error) {
    const reason = asProxyError(error).message;
    throw new ProxyError(
      'gateway_port_unusable',
      `the gateway cannot listen on ${address}:${String(port)}: ${reason}`,
      { cause: error },
    );
  } finally {
    server.off('error', reject);
  }
}

/** Listens for clients without an agent. Gives the number of the port. @throws ProxyError gateway_port_unusable */
export async function listenForProxy(
  server: Server,
  { address, port }: ProxySettings,
  { proxyStrangersMax: backlog }: Pick<Limits, 'proxyStrangersMax'>,
): Promise<number> {
  try {
    const listening = once(server, 'listening');
    // Where they come at once, the system holds those that the process has not taken yet.
    server.listen({ host: address, port, backlog });
    await listening;
    // A server that listens on TCP has a port.
    return (server.address() as AddressInfo).port;
  } catch (error) {
    const reason = asProxyError(error).message;
    const message = `the proxy cannot listen on ${address}:${port}: ${reason}`;
    throw new ProxyError('gateway_port_unusable', message, { cause: error });
  }
}

/** Counts strangers for the whole gateway. */
export async function openStrangers({ limits }: GatewayConfig): Promise<StrangerConnections> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  return countStrangers(limits, descriptorShare(text));
}

/** Counts strangers at the listener for clients without an agent. */
export async function openProxyStrangers({
  limits: { proxyStrangersMax: strangersMax, proxyStrangersPerSourceMax: strangersPerSourceMax },
}: Pick<GatewayConfig, 'limits'>): Promise<StrangerConnections> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  return countStrangers({ strangersMax, strangersPerSourceMax }, descriptorShare(text));
}

/** Counts failed enrolments for the whole gateway. */
export function openFailures({ limits }: GatewayConfig, clock: () => number): FailureRate {
  const { enrolFailuresPerSecondMax, enrolFailureSourcesMax } = limits;
  return new FailureRate({
    perSecondMax: enrolFailuresPerSecondMax,
    sourcesMax: enrolFailureSourcesMax,
    clock,
  });
}

/** By which an agent on this machine reaches it. A wildcard address is no host to connect to: the first public name is. */
export function localUrl(config: GatewayConfig, port: number): string {
  const { address } = config.listen;
  const isWildcard = address === '0.0.0.0' || address === '::';
  const host = isWildcard ? (config.publicNames[0] ?? 'localhost') : address;
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
