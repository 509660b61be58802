// Sockets that a service manager opened for the gateway, and what each is for. They have to be where the configuration says, for it is the
// configuration that operators read, that `--check` has judged, and by which the gateway keeps workloads from its own ports.

import type { GatewayConfig } from '../../gateway/config/config.ts';
import type { ListeningSockets } from '../../gateway/listening-sockets.ts';
import { canonicalAddress, formatIpv4, formatIpv6 } from '../../http/ip-address.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { PassedSocket } from '../../system/passed-sockets.ts';

type Purpose = keyof ListeningSockets;
type PortSettings = Pick<GatewayConfig, 'listen' | 'metrics' | 'admin'>;

/** By name, or by being the only one. @throws ProxyError config_invalid for each that does not fit */
export function activatedSockets(
  passed: readonly PassedSocket[],
  config: PortSettings,
  workers: number,
): ListeningSockets {
  const sockets: Partial<Record<Purpose, number>> = {};
  for (const socket of passed) {
    const purpose = purposeOf(socket, passed.length);
    if (sockets[purpose] !== undefined)
      throw wrong(`two sockets are for ${purpose}; one ListenStream= without an address takes IPv4 and IPv6`);
    if (purpose === 'admin' && workers > 1)
      throw wrong(
        'the admin API of several workers opens its port itself; leave the socket out, or write workers: 1',
      );
    requireFit(socket, purpose, config);
    sockets[purpose] = socket.descriptor;
  }
  return sockets;
}

/** systemd names a socket after its unit unless FileDescriptorName= says otherwise, and others name none. */
function purposeOf({ name }: PassedSocket, count: number): Purpose {
  if (name === 'gateway' || name === 'metrics' || name === 'admin') return name;
  if (count === 1 && (name === '' || name === 'unknown' || name.endsWith('.socket'))) return 'gateway';
  throw wrong(
    `a socket has the name ${JSON.stringify(name)}; write FileDescriptorName= with gateway, metrics or admin`,
  );
}

const keys: Readonly<Record<Purpose, string>> = {
  gateway: 'listen',
  metrics: 'metrics',
  admin: 'admin.listen',
};

function requireFit(socket: PassedSocket, purpose: Purpose, config: PortSettings): void {
  const wanted = { gateway: config.listen, metrics: config.metrics, admin: config.admin?.listen }[purpose];
  const key = keys[purpose];
  const found = addressText(socket.address);
  const at = `${found.includes(':') ? `[${found}]` : found}:${socket.port}`;
  if (wanted === undefined)
    throw wrong(`a socket at ${at} is for ${purpose}, and the configuration has no ${key}`);
  const address = canonicalAddress(wanted.address) ?? wanted.address;
  const fits =
    (wanted.port === 0 || wanted.port === socket.port) &&
    // A socket at :: takes IPv4 too.
    (address === found || (address === '0.0.0.0' && found === '::'));
  if (fits) return;
  throw wrong(
    `the socket for ${purpose} is at ${at}, and the configuration says ${key}: { address: "${wanted.address}", port: ${wanted.port} }; write the same in both`,
  );
}

/** An IPv4 address that a socket of IPv6 has is one of IPv4. */
function addressText(octets: Uint8Array): string {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  if (octets.length === 4) return formatIpv4(view.getUint32(0));
  return formatIpv6(Array.from({ length: 8 }, (_, i) => view.getUint16(i * 2)));
}

function wrong(message: string): ProxyError {
  return new ProxyError('config_invalid', `socket activation: ${message}`);
}
