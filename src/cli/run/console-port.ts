// A port for the console of a run, free at both addresses of loopback: browsers look for names below `localhost` at both.

import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { isAddressAbsent } from '../../system/absent-address.ts';

/** Holds the port, or any for 0. */
export type HoldPort = (
  address: string,
  port: number,
) => Promise<AsyncDisposable & { readonly port: number }>;

/** One that the command may reach is none. @throws ProxyError gateway_port_unusable */
export async function freeConsolePort(taken: readonly number[], hold: HoldPort = holdPort): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      await using held = await hold('127.0.0.1', 0);
      const { port } = held;
      if (taken.includes(port)) throw new Error(`the command may reach port ${port}`);
      await using _other = await holdUnlessAbsent(hold, port);
      return port;
    } catch (error) {
      if (attempt < defaultLimits.relayPortAttemptsMax) continue;
      const message = `no port for the console is free on 127.0.0.1 and ::1: ${faultReason(error)}`;
      throw new ProxyError('gateway_port_unusable', message, { cause: error });
    }
  }
}

async function holdUnlessAbsent(hold: HoldPort, port: number): Promise<AsyncDisposable | undefined> {
  try {
    return await hold('::1', port);
  } catch (error) {
    if (isAddressAbsent(error)) return undefined;
    throw error;
  }
}

async function holdPort(address: string, port: number): ReturnType<HoldPort> {
  const server = createServer();
  server.listen(port, address);
  await once(server, 'listening');
  return {
    // A server that listens on TCP has a port.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}
