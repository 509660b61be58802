// Every port of the addresses that stand for names led to one that is captured, by the kernel's nf_tables inside the command's network.

import { ProxyError } from '../../protocol/error.ts';
import { KernelFault } from '../../system/kernel-fault.ts';
import { fakeNetwork } from '../capture/fake-addresses.ts';
import { NetlinkSocket } from './netlink.ts';
import { readReplies, redirectBatch, repliesOfBatch } from './nf-tables.ts';
import type { Kernel } from './raw-listener.ts';

const NETLINK_NETFILTER = 12;
const MSG_DONTWAIT = 0x40;
/** An error repeats the message that it is for, which has less than two thousand octets. */
const readBytes = 8_192;
/** Of the socket: the kernel has no netfilter, or none that is spoken to by netlink (`__netlink_create` of the kernel). */
const withoutNetfilter: ReadonlySet<string> = new Set(['EPROTONOSUPPORT', 'EAFNOSUPPORT', 'ESOCKTNOSUPPORT']);
/** Of the batch: no nf_tables (`nfnetlink_rcv_batch`), or without a part that ours names: all else that it names is made by it. */
const withoutTables: ReadonlySet<string> = new Set(['EOPNOTSUPP', 'ENOTSUP', 'ENOENT']);

/** The kernel has no nf_tables, or not the parts of it that lead ports. */
class NoTables extends Error {}

/**
 * Leads all ports but `captured` to the last of them. Without it a connection to another port is refused by the kernel: nothing gets out,
 * but nobody is told of it either. So where it is `wanted`, a kernel without nf_tables is a false, and a refusal of the layer where it is
 * `required`. Throws `jail_refused` for everything else that keeps it from being done, which others may have brought about.
 */
export function leadPorts(kernel: Kernel, captured: readonly number[], how: 'required' | 'wanted'): boolean {
  try {
    redirectPorts(kernel, captured);
    return true;
  } catch (error) {
    const reason = `not all ports can be captured: ${error instanceof Error ? error.message : String(error)}`;
    if (!(error instanceof NoTables))
      throw new ProxyError('jail_refused', `${reason}; without them: --capture-ports policy`, {
        cause: error,
      });
    if (how === 'wanted') return false;
    throw new Error(reason, { cause: error });
  }
}

function redirectPorts(kernel: Kernel, captured: readonly number[]): void {
  const target = captured.at(-1);
  // The address stays: it says which name is meant. Without a port that is captured there is none to lead to.
  if (target === undefined) throw new Error('no port is captured');
  using socket = openSocket(kernel);
  socket.send(redirectBatch({ network: fakeNetwork, except: captured, target }));
  for (let seen = 0; seen < repliesOfBatch;) {
    // The kernel has done it, and replied, before sendto(2) returns.
    const replies = readReplies(socket.receive(readBytes, MSG_DONTWAIT));
    if (replies.length === 0) throw new Error('nf_tables: a reply that is none');
    const failed = replies.find((reply) => reply !== 0);
    if (failed !== undefined) throw faultOf(new KernelFault('nf_tables', -failed), withoutTables);
    seen += replies.length;
  }
}

function openSocket(kernel: Kernel): NetlinkSocket {
  try {
    return new NetlinkSocket(kernel, NETLINK_NETFILTER, 'nf_tables');
  } catch (error) {
    throw error instanceof KernelFault ? faultOf(error, withoutNetfilter) : error;
  }
}

function faultOf(fault: KernelFault, without: ReadonlySet<string>): Error {
  if (!without.has(fault.code)) return fault;
  return new NoTables(`the kernel has no nf_tables (${fault.message})`, { cause: fault });
}
