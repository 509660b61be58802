// Sockets that a service manager opened and passed on (`man 3 sd_listen_fds`): which there are, and what the kernel says of each.

import { ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import type { SystemCalls } from './ffi.ts';
import { requireDone } from './kernel-fault.ts';
import { systemCallNumbers } from './system-call-numbers.ts';

/** The first descriptor behind standard error. */
const firstDescriptor = 3;

/** One of them, as the environment names it. */
export interface NamedDescriptor {
  readonly descriptor: number;
  /** Empty where it has no name. */
  readonly name: string;
}

/** A stream socket that listens on TCP. */
export interface PassedSocket extends NamedDescriptor {
  /** Four octets, or sixteen. */
  readonly address: Uint8Array;
  readonly port: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES say; nothing if they are meant for another process. @throws ProxyError config_invalid */
export function namedDescriptors(environment: Environment, ownPid: number): readonly NamedDescriptor[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = environment;
  if (pid === undefined || count === undefined || pid !== String(ownPid)) return [];
  const { passedSocketsMax } = defaultLimits;
  if (!/^(?:0|[1-9][0-9]?)$/.test(count) || Number(count) > passedSocketsMax)
    throw wrong(
      `LISTEN_FDS is ${JSON.stringify(count)}; it is a number of sockets up to ${passedSocketsMax}`,
    );
  const given = names === undefined || names === '' ? [] : names.split(':');
  if (given.length > 0 && given.length !== Number(count))
    throw wrong(`LISTEN_FDNAMES has ${given.length} names for ${count} sockets`);
  return Array.from({ length: Number(count) }, (_, i) => ({
    descriptor: firstDescriptor + i,
    name: given[i] ?? '',
  }));
}

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SOCK_STREAM = 1;
const AF_INET = 2;
const AF_INET6 = 10;

/**
 * Keeps each from programs that this process starts, and asks the kernel what it is. @throws ProxyError config_invalid for what is no
 * stream socket that listens on TCP
 */
export function lookAtSockets(
  calls: SystemCalls,
  named: readonly NamedDescriptor[],
): readonly PassedSocket[] {
  for (const { descriptor } of named) closeOnExec(calls, descriptor);
  return named.map((one) => {
    const { descriptor } = one;
    const ofDescriptor = (option: number): number | undefined => socketOption(calls, descriptor, option);
    if (ofDescriptor(SO_TYPE) !== SOCK_STREAM || ofDescriptor(SO_ACCEPTCONN) !== 1)
      throw wrong(`descriptor ${descriptor} ${quoted(one)} is no socket that listens; write ListenStream=`);
    const place = socketPlace(boundName(calls, descriptor));
    if (place === undefined)
      throw wrong(
        `descriptor ${descriptor} ${quoted(one)} is no TCP socket; write ListenStream= with an address and a port`,
      );
    return { ...one, ...place };
  });
}

/** Address and port of a `sockaddr_in` or `sockaddr_in6` (`man 7 ip`, `man 7 ipv6`); undefined for other families. */
export function socketPlace(name: Uint8Array): Pick<PassedSocket, 'address' | 'port'> | undefined {
  if (name.length < 2) return undefined;
  const view = new DataView(name.buffer, name.byteOffset, name.length);
  // The family is in the order of the machine, and both that we know have the small end first.
  const family = view.getUint16(0, true);
  if (family === AF_INET && name.length >= 8) return { port: view.getUint16(2), address: name.slice(4, 8) };
  if (family === AF_INET6 && name.length >= 24)
    return { port: view.getUint16(2), address: name.slice(8, 24) };
  return undefined;
}

function closeOnExec(calls: SystemCalls, descriptor: number): void {
  try {
    requireDone('F_SETFD', calls.call(systemCallNumbers().fcntl, descriptor, F_SETFD, FD_CLOEXEC));
  } catch (cause) {
    throw wrong(`there is no descriptor ${descriptor}, which LISTEN_FDS counts`, cause);
  }
}

function socketOption(calls: SystemCalls, descriptor: number, option: number): number | undefined {
  const value = new Uint32Array(1);
  const length = Uint32Array.of(4);
  const result = calls.call(
    systemCallNumbers().getsockopt,
    descriptor,
    SOL_SOCKET,
    option,
    new Uint8Array(value.buffer),
    new Uint8Array(length.buffer),
  );
  return result === 0 ? value[0] : undefined;
}

/** Empty where the kernel gives none. */
function boundName(calls: SystemCalls, descriptor: number): Uint8Array {
  const name = new Uint8Array(128);
  const length = Uint32Array.of(name.length);
  const { getsockname } = systemCallNumbers();
  const result = calls.call(getsockname, descriptor, name, new Uint8Array(length.buffer));
  return result === 0 ? name.subarray(0, Math.min(length[0] ?? 0, name.length)) : name.subarray(0, 0);
}

function quoted({ name }: NamedDescriptor): string {
  return `(${JSON.stringify(name)})`;
}

function wrong(message: string, cause?: unknown): ProxyError {
  return new ProxyError('config_invalid', `socket activation: ${message}`, { cause });
}
