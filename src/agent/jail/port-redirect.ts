// Every port of the addresses that stand for names led to one that is captured, by the kernel's nf_tables inside the command's network.

import { fakeNetwork } from '../capture/fake-addresses.ts';
import { KernelFault, requireDone } from '../../system/kernel-fault.ts';
import { readReplies, redirectBatch, repliesOfBatch } from './nf-tables.ts';
import type { Kernel } from './raw-listener.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const NETLINK_NETFILTER = 12;
const MSG_DONTWAIT = 0x40;
/** struct sockaddr_nl: the kernel, and no groups. */
const kernelAddress = Uint8Array.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
/** An error repeats the message that it is for, which has less than two thousand octets. */
const readBytes = 8_192;

/** Leads all ports but `captured` to the last of them. Throws an Error that says why it cannot be done. */
export function redirectPorts({ calls, numbers }: Kernel, captured: readonly number[]): void {
  const target = captured.at(-1);
  // The address stays: it says which name is meant. Without a port that is captured there is none to lead to.
  if (target === undefined) throw new Error('no port is captured');
  const batch = redirectBatch({ network: fakeNetwork, except: captured, target });
  const socket = requireDone(
    'netlink',
    calls.call(numbers.socket, AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER),
  );
  try {
    const { length } = kernelAddress;
    const sent = calls.call(numbers.sendto, socket, batch, batch.length, 0, kernelAddress, length);
    requireDone('nf_tables', sent);
    requireReplies(() => {
      const bytes = Buffer.alloc(readBytes);
      // The kernel has done it, and replied, before sendto(2) returns.
      const count = calls.call(numbers.recvfrom, socket, bytes, bytes.length, MSG_DONTWAIT, 0, 0);
      return bytes.subarray(0, requireDone('nf_tables', count));
    });
  } finally {
    calls.call(numbers.close, socket);
  }
}

function requireReplies(read: () => Buffer): void {
  for (let seen = 0; seen < repliesOfBatch;) {
    const replies = readReplies(read());
    if (replies.length === 0) throw new Error('nf_tables: a reply that is none');
    const failed = replies.find((reply) => reply !== 0);
    if (failed !== undefined) throw new KernelFault('nf_tables', -failed);
    seen += replies.length;
  }
}
