// The gateway as a service: what its service manager gave it, and what it is told in return. Without one, nothing of it happens.

import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { openSystemCalls } from '../../system/ffi.ts';
import { lookAtSockets, namedDescriptors, type PassedSocket } from '../../system/passed-sockets.ts';
import {
  noticeAddress,
  openServiceManager,
  type ServiceManager,
  watchdogIntervalMs,
} from '../../system/service-manager.ts';

export interface Service extends Disposable {
  /** Whether somebody is told. A hang-up is then no end of a terminal, and asks for a reload as it does of other services. */
  readonly isManaged: boolean;
  readonly sockets: readonly PassedSocket[];
  /** It serves. Signs of life begin, where the service manager waits for them. */
  ready(status: string): Promise<void>;
  /** Tells of a reload around `act`. */
  reloading(act: () => Promise<void>): Promise<void>;
  /** It ends, within so many milliseconds. */
  stopping(status: string, withinMs: number): Promise<void>;
}

type Environment = Record<string, string | undefined>;

const names = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'] as const;
const socketNames = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID'] as const;

/**
 * Takes what is meant for this process out of its environment: a program that it starts must neither speak for it nor take its sockets.
 * @throws ProxyError config_invalid for sockets that cannot be served on
 */
export function openService(environment: Environment, warn: (message: string) => void): Service {
  const { NOTIFY_SOCKET: name, WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = environment;
  const named = namedDescriptors(environment, process.pid);
  for (const one of [...names, ...socketNames]) delete environment[one];
  const manager = name === undefined ? undefined : openManager(name, warn);
  let [status, isStopping] = ['', false];
  let alive: NodeJS.Timeout | undefined;
  return {
    isManaged: manager !== undefined,
    sockets: named.length === 0 ? [] : socketsOf(named),
    ready: async (text) => {
      status = text;
      await manager?.tell({ kind: 'ready', status });
      const intervalMs = watchdogIntervalMs(usec, watched, process.pid);
      if (manager !== undefined && intervalMs !== undefined) alive = keepTelling(manager, intervalMs);
    },
    reloading: async (act) => {
      // What ends is ready for nothing more.
      if (isStopping) return await act();
      await manager?.tell({ kind: 'reloading', monotonicUs: process.hrtime.bigint() / 1000n });
      try {
        await act();
      } finally {
        if (!isStopping) await manager?.tell({ kind: 'ready', status });
      }
    },
    stopping: async (text, withinMs) => {
      isStopping = true;
      await manager?.tell({ kind: 'stopping', status: text, withinMs });
    },
    [Symbol.dispose]: () => {
      clearInterval(alive);
      manager?.[Symbol.dispose]();
    },
  };
}

function socketsOf(named: ReturnType<typeof namedDescriptors>): readonly PassedSocket[] {
  if (process.versions['bun'] !== undefined)
    throw new ProxyError('config_invalid', 'socket activation needs Node; start the gateway by Node');
  using calls = openSystemCalls();
  return lookAtSockets(calls, named);
}

/** Whoever cannot be told costs a warning, and not the start. */
function openManager(name: string, warn: (message: string) => void): ServiceManager | undefined {
  const address = noticeAddress(name);
  if (address === undefined) {
    warn('NOTIFY_SOCKET names nobody to be told: it is neither an absolute path nor @ and a name');
    return undefined;
  }
  try {
    return openServiceManager({ address, calls: openSystemCalls(), warn });
  } catch (error) {
    warn(`NOTIFY_SOCKET: the service manager cannot be told: ${asProxyError(error).message}`);
    return undefined;
  }
}

/** From the loop that serves: one that hangs is silent. A sign that cannot be sent is not added to. */
function keepTelling(manager: ServiceManager, intervalMs: number): NodeJS.Timeout {
  let isTelling = false;
  const tell = async (): Promise<void> => {
    if (isTelling) return;
    isTelling = true;
    await manager.tell({ kind: 'alive' });
    isTelling = false;
  };
  return setInterval(() => void tell(), intervalMs).unref();
}
