// A service manager as far as it listens: a Unix datagram socket, which no runtime offers.

import { openSystemCalls } from '../../src/system/ffi.ts';
import { requireDone } from '../../src/system/kernel-fault.ts';
import { noticeAddress } from '../../src/system/service-manager.ts';
import { systemCallNumbers } from '../../src/system/system-call-numbers.ts';
import { waitUntil } from './program.ts';

export interface NoticeReceiver extends Disposable {
  /** Everything that was told so far, oldest first. */
  readonly notices: readonly string[];
  /** Takes what is there. */
  look(): void;
  /** Waits until one begins so, behind the first `after` of them. Gives its text. */
  next(beginning: string, after?: number): Promise<string>;
}

const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const MSG_DONTWAIT = 0x40;

/** `name` as in NOTIFY_SOCKET. */
export function receiveNotices(name: string): NoticeReceiver {
  const calls = openSystemCalls();
  const numbers = systemCallNumbers();
  const address = noticeAddress(name);
  if (address === undefined) throw new Error(`${name} is no name of a socket`);
  const socket = requireDone('socket', calls.call(numbers.socket, 1, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0));
  requireDone('bind', calls.call(numbers.bind, socket, address, address.length));
  const notices: string[] = [];
  const octets = Buffer.alloc(4096);
  const look = (): void => {
    for (;;) {
      const length = calls.call(numbers.recvfrom, socket, octets, octets.length, MSG_DONTWAIT, 0, 0);
      if (length < 0) return;
      notices.push(octets.toString('utf8', 0, length));
    }
  };
  return {
    notices,
    look,
    next: async (beginning, after = 0) => {
      let found: string | undefined;
      await waitUntil(`the service manager is told ${beginning}`, () => {
        look();
        found = notices.slice(after).find((one) => one.startsWith(beginning));
        return found !== undefined;
      });
      return found ?? '';
    },
    [Symbol.dispose]: () => {
      calls.call(numbers.close, socket);
      calls[Symbol.dispose]();
    },
  };
}
