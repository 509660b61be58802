// What of the network leads out, seen from inside: interfaces and routes as the kernel lists them to the thread that becomes the command
// (rtnetlink(7)), and descriptors that it will have.

import { fstatSync } from 'node:fs';
import {
  encodeMessage,
  NetlinkSocket,
  type NetlinkMessage,
  NLMSG_DONE,
  NLMSG_ERROR,
  readAttributes,
} from './netlink.ts';
import type { Kernel } from './raw-listener.ts';

const AF_UNIX = 1;
const NETLINK_ROUTE = 0;
const SOL_SOCKET = 1;
const SO_DOMAIN = 39;
const F_GETFD = 1;
const FD_CLOEXEC = 1;
const RTM_GETLINK = 18;
const RTM_NEWLINK = 16;
const RTM_GETROUTE = 26;
const RTM_NEWROUTE = 24;
const NLM_F_REQUEST_DUMP = 0x301;
const IFF_UP = 1;
const IFF_LOOPBACK = 8;
const IFLA_IFNAME = 3;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_MULTIPATH = 9;
/** blackhole, unreachable, prohibit, throw: they lead nowhere. */
const nowhere: ReadonlySet<number> = new Set([6, 7, 8, 9]);
/** struct ifinfomsg */
const familyBytes = 16;
const replyBytes = 64 * 1024;
/** A network with more is no empty one. */
const repliesMax = 32;
/** tun(4): packets of the network that opened it. */
const tunDevice = (10 << 8) | 200;

/** Interfaces that are up and not loopback, and routes over them or a gateway; empty in a network that nothing leaves. Throws an Error if it is refused. */
export function networkWays(kernel: Kernel): readonly string[] {
  const loopback = new Set<number>();
  const ways: string[] = [];
  for (const { type, body } of dump(kernel, RTM_GETLINK)) {
    if (type !== RTM_NEWLINK) continue;
    const [index, flags] = [body.readInt32LE(4), body.readUInt32LE(8)];
    if ((flags & IFF_LOOPBACK) !== 0) loopback.add(index);
    // Kernels make tunnels for each network that cannot be used until somebody with the right to it brings them up.
    else if ((flags & IFF_UP) !== 0) ways.push(`interface ${nameOf(body) ?? index}`);
  }
  for (const { type, body } of dump(kernel, RTM_GETROUTE)) {
    if (type !== RTM_NEWROUTE || nowhere.has(body.readUInt8(7))) continue;
    const found = readAttributes(body, 12);
    const outlet = found.get(RTA_OIF)?.readInt32LE(0);
    const isLocal = outlet !== undefined && loopback.has(outlet);
    if (!isLocal || found.has(RTA_GATEWAY) || found.has(RTA_MULTIPATH))
      ways.push(`a route by interface ${outlet ?? 'unknown'}`);
  }
  return ways;
}

/** Standard streams that lead into a network outside: a socket belongs to that in which it was opened, wherever its process is. */
export function streamWays(kernel: Kernel): readonly number[] {
  return [0, 1, 2].filter((fd) => leadsOut(kernel, fd));
}

/** Descriptors beyond the standard streams that the next program would have. */
export function inheritedDescriptors({ calls, numbers }: Kernel, max = 1_024): readonly number[] {
  const found: number[] = [];
  for (let fd = 3; fd < max; fd++) {
    const flags = calls.call(numbers.fcntl, fd, F_GETFD, 0);
    if (flags >= 0 && (flags & FD_CLOEXEC) === 0) found.push(fd);
  }
  return found;
}

function leadsOut({ calls, numbers }: Kernel, fd: number): boolean {
  const domain = new Int32Array(1);
  const length = new Uint8Array(Uint32Array.of(4).buffer);
  const bytes = new Uint8Array(domain.buffer);
  if (calls.call(numbers.getsockopt, fd, SOL_SOCKET, SO_DOMAIN, bytes, length) >= 0)
    return domain[0] !== AF_UNIX;
  let seen: ReturnType<typeof fstatSync>;
  try {
    seen = fstatSync(fd);
  } catch {
    // Closed.
    return false;
  }
  if (seen.isCharacterDevice()) return Number(seen.rdev) === tunDevice;
  // Rings and other things without a name do what their maker could.
  return !(seen.isFile() || seen.isDirectory() || seen.isFIFO() || seen.isBlockDevice());
}

function dump(kernel: Kernel, request: number): readonly NetlinkMessage[] {
  using socket = new NetlinkSocket(kernel, NETLINK_ROUTE, 'netlink');
  // The longest body that is asked for: struct ifinfomsg. Zeros are all families.
  socket.send(encodeMessage({ type: request, flags: NLM_F_REQUEST_DUMP, body: Buffer.alloc(familyBytes) }));
  const messages: NetlinkMessage[] = [];
  for (let replies = 0; replies < repliesMax; replies++) {
    const more = socket.receive(replyBytes);
    if (more.some(({ type }) => type === NLMSG_ERROR)) throw new Error('the kernel lists no network');
    messages.push(...more);
    if (more.length === 0 || more.some(({ type }) => type === NLMSG_DONE)) return messages;
  }
  throw new Error('the network is too large to be one of its own');
}

function nameOf(body: Buffer): string | undefined {
  return readAttributes(body, familyBytes).get(IFLA_IFNAME)?.toString('latin1').replaceAll('\0', '');
}
