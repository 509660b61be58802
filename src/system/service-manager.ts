// What a service manager is told of this process (`man 3 sd_notify`): datagrams to the Unix socket that NOTIFY_SOCKET names.

import { setTimeout as wait } from 'node:timers/promises';

import { defaultLimits } from '../protocol/limits.ts';
import type { SystemCalls } from './ffi.ts';
import { errnoName } from './kernel-fault.ts';
import { systemCallNumbers } from './system-call-numbers.ts';
import { socketPathBytesMax } from './unix-socket.ts';

/** A state that a service manager acts on, or a sign of life. */
export type Notice =
  | { readonly kind: 'ready'; readonly status: string }
  /** `monotonicUs` is of CLOCK_MONOTONIC when it begins: it tells this reload from an earlier one. */
  | { readonly kind: 'reloading'; readonly monotonicUs: bigint }
  /** `withinMs` is what its end may take, whatever the service manager allows otherwise. */
  | { readonly kind: 'stopping'; readonly status: string; readonly withinMs: number }
  | { readonly kind: 'alive' };

export interface ServiceManager extends Disposable {
  /** Resolves when it is told, or cannot be told; never rejects. Notices are told in the order of the calls. */
  tell(notice: Notice): Promise<void>;
}

/** The octets of a notice. A line break in a status would be a further assignment. */
export function noticeText(notice: Notice): string {
  switch (notice.kind) {
    case 'ready':
      return `READY=1\nSTATUS=${oneLine(notice.status)}`;
    case 'reloading':
      return `RELOADING=1\nMONOTONIC_USEC=${notice.monotonicUs}`;
    case 'stopping':
      return `STOPPING=1\nSTATUS=${oneLine(notice.status)}\nEXTEND_TIMEOUT_USEC=${Math.ceil(notice.withinMs * 1000)}`;
    case 'alive':
      return 'WATCHDOG=1';
  }
}

function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what is taken out
  return text.replaceAll(/[\u0000-\u001f\u007f]+/g, ' ');
}

/**
 * The `sockaddr_un` of `man 7 unix` for a value of NOTIFY_SOCKET: an absolute path, or `@` and the rest of an abstract name. Undefined for
 * anything else; a path that is not absolute would depend on the folder in which the process happens to be.
 */
export function noticeAddress(name: string): Uint8Array | undefined {
  const isAbstract = name.startsWith('@');
  const path = Buffer.from(isAbstract ? `\0${name.slice(1)}` : name);
  if (!isAbstract && !name.startsWith('/')) return undefined;
  if (path.length < 2 || path.length > socketPathBytesMax || path.includes(0, 1)) return undefined;
  // A path ends with a 0, and the length of an abstract name is all that ends it.
  const address = new Uint8Array(2 + path.length + (isAbstract ? 0 : 1));
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(path, 2);
  return address;
}

/**
 * Milliseconds between two signs of life, by WATCHDOG_USEC and WATCHDOG_PID: half of what the service manager waits for one. Undefined
 * where it waits for none of this process.
 */
export function watchdogIntervalMs(
  usec: string | undefined,
  pid: string | undefined,
  ownPid: number,
): number | undefined {
  if (usec === undefined || !/^[1-9][0-9]{0,15}$/.test(usec)) return undefined;
  if (pid !== undefined && pid !== String(ownPid)) return undefined;
  return Math.min(Math.max(1, Math.floor(Number(usec) / 2000)), timerMsMax);
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** The largest value of a timer in Node. */
const timerMsMax = 2 ** 31 - 1;
/** A service manager that is behind has taken some of what waits by then. */
const againMs = 20;

interface Needs {
  readonly address: Uint8Array;
  readonly calls: SystemCalls;
  /** Told once of what keeps notices from being sent. */
  readonly warn: (message: string) => void;
}

/** Whoever is at that address is told, or nobody: a service goes on either way. */
export function openServiceManager({ address, calls, warn }: Needs): ServiceManager {
  let last: Promise<void> = Promise.resolve();
  let isWarned = false;
  const send = async (notice: Notice): Promise<void> => {
    const untilMs = performance.now() + defaultLimits.serviceNoticeTimeoutMs;
    let fault = sendOnce(calls, address, noticeText(notice));
    // Its queue is full. Nothing of this process waits but the notice.
    while (fault === 'EAGAIN' && performance.now() < untilMs) {
      await wait(againMs);
      fault = sendOnce(calls, address, noticeText(notice));
    }
    if (fault === undefined || isWarned) return;
    isWarned = true;
    warn(`the service manager cannot be told of this process by NOTIFY_SOCKET: ${fault}`);
  };
  return {
    tell: (notice) => (last = last.then(() => send(notice))),
    [Symbol.dispose]: () => calls[Symbol.dispose](),
  };
}

/** By a socket of its own, so that nothing is kept open between notices. Gives the fault. */
function sendOnce(calls: SystemCalls, address: Uint8Array, text: string): string | undefined {
  const numbers = systemCallNumbers();
  const socket = calls.call(numbers.socket, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return errnoName(-socket);
  const octets = Buffer.from(text);
  const flags = MSG_NOSIGNAL;
  const sent = calls.call(numbers.sendto, socket, octets, octets.length, flags, address, address.length);
  calls.call(numbers.close, socket);
  return sent < 0 ? errnoName(-sent) : undefined;
}
