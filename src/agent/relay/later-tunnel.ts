// The tunnel of a relay that listens before there is one.

import { ProxyError } from '../../protocol/error.ts';
import type { RelayTunnel } from './relay-connection.ts';

/** Refuses until `current` has a tunnel; nobody is told of the relay before that. */
export function laterTunnel(current: () => RelayTunnel | undefined): RelayTunnel {
  const tunnel = (): RelayTunnel => {
    const client = current();
    if (client === undefined) throw new ProxyError('tunnel_lost', 'the tunnel to the gateway is not up yet');
    return client;
  };
  return {
    get isUp() {
      return current()?.isUp ?? false;
    },
    whenUp: async () => await tunnel().whenUp(),
    whenAgreed: async () => await current()?.whenAgreed?.(),
    openStream: (fields) => tunnel().openStream(fields),
    plainModes: (authority) => current()?.plainModes?.(authority) ?? [],
  };
}
