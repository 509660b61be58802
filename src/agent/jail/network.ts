// The helper's work inside its own network namespace: the loopback interface, the addresses that stand for names, and a
// resolv.conf that leads to the agent's resolver. Nothing else is there, so there is no other way out.

import { realpathSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fakeNetwork } from '../capture/fake-addresses.ts';
import type { SystemCalls } from '../../system/ffi.ts';
import { dropNetworkCapabilities } from './capabilities.ts';
import type { JailPlan } from './jail-plan.ts';
import { requireDone } from '../../system/kernel-fault.ts';
import { leadPorts } from './port-redirect.ts';
import type { SystemCallNumbers } from '../../system/system-call-numbers.ts';

// <linux/sockios.h>, netdevice(7)
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFADDR = 0x8916;
const SIOCSIFNETMASK = 0x891c;
const IFF_UP_AND_RUNNING = 0x41;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8;
const MS_BIND = 0x1000;
const MNT_DETACH = 2;

const resolvConf = '/etc/resolv.conf';
const resolvConfText = `# upstreamproxy: names are answered by the agent
nameserver 127.0.0.1
options timeout:5 attempts:2
`;
/** Folders of sockets by which a library would ask a resolver of the machine, past resolv.conf. */
const otherResolvers = ['/run/systemd/resolve', '/run/nscd', '/var/run/nscd', '/run/avahi-daemon'];
/** Any folder that is there serves for a moment as the place of a file in memory. */
const scratchFolders = ['/tmp', '/run', '/mnt', '/var'];

/**
 * Brings up in the namespaces of `makeNamespaces` what a command needs. Throws an Error that says what the kernel refuses; then the
 * namespaces are of no use.
 */
export function enterNetwork(
  calls: SystemCalls,
  numbers: SystemCallNumbers,
  { allPorts, earlyPorts = [] }: Pick<JailPlan, 'allPorts' | 'earlyPorts'>,
): { readonly hasAllPorts: boolean } {
  for (const folder of otherResolvers) {
    if (isFolder(folder)) maskFolder(calls, numbers, folder);
  }
  mountResolvConf(calls, numbers);
  bringLoopbackUp(calls, numbers);
  // Before the rights to it go.
  const hasAllPorts = allPorts !== undefined && leadPorts({ calls, numbers }, earlyPorts, allPorts);
  dropNetworkCapabilities(calls, numbers);
  return { hasAllPorts };
}

function bringLoopbackUp(calls: SystemCalls, numbers: SystemCallNumbers): void {
  const socket = requireDone('socket', calls.call(numbers.socket, AF_INET, SOCK_DGRAM_CLOEXEC, 0));
  try {
    const flags = interfaceRequest('lo');
    flags.writeUInt16LE(IFF_UP_AND_RUNNING, 16);
    requireDone('cannot bring lo up', calls.call(numbers.ioctl, socket, SIOCSIFFLAGS, flags));
    // A network on a loopback interface is local as a whole, like 127.0.0.0/8: each of its addresses can be connected to.
    const { address, netmask } = fakeNetwork;
    const set = (request: number, value: string): void => {
      const bytes = interfaceRequest('lo:1');
      bytes.writeUInt16LE(AF_INET, 16);
      bytes.set(value.split('.').map(Number), 20);
      requireDone(`cannot give lo ${value}`, calls.call(numbers.ioctl, socket, request, bytes));
    };
    set(SIOCSIFADDR, address);
    set(SIOCSIFNETMASK, netmask);
  } finally {
    calls.call(numbers.close, socket);
  }
}

/** struct ifreq: a name of 16 octets, then 24 of the value. */
function interfaceRequest(name: string): Buffer {
  const request = Buffer.alloc(40);
  request.write(name, 'latin1');
  return request;
}

/** Takes a folder away; a resolv.conf in it, to which that of /etc can be a link, stays as a file that is mounted over next. */
function maskFolder(calls: SystemCalls, numbers: SystemCallNumbers, folder: string): void {
  const target = realPathOf(resolvConf);
  const holdsTarget = target !== undefined && dirname(target) === realPathOf(folder);
  mountMemory(calls, numbers, folder);
  if (holdsTarget) writeFileSync(target, resolvConfText, { mode: 0o644 });
}

function mountResolvConf(calls: SystemCalls, numbers: SystemCallNumbers): void {
  const target = realPathOf(resolvConf);
  // Without the file, libraries ask 127.0.0.1 by themselves (resolv.conf(5)).
  if (target === undefined) return;
  const scratch = scratchFolders.find((folder) => isFolder(folder) && !target.startsWith(`${folder}/`));
  if (scratch === undefined) throw new Error('there is no folder to mount over');
  mountMemory(calls, numbers, scratch);
  try {
    const source = join(scratch, 'resolv.conf');
    writeFileSync(source, resolvConfText, { mode: 0o644 });
    const result = calls.call(numbers.mount, cString(source), cString(target), 0, MS_BIND, 0);
    requireDone(`cannot mount ${resolvConf}`, result);
  } finally {
    requireDone(`cannot unmount ${scratch}`, calls.call(numbers.umount2, cString(scratch), MNT_DETACH));
  }
}

function mountMemory(calls: SystemCalls, numbers: SystemCallNumbers, folder: string): void {
  const result = calls.call(
    numbers.mount,
    cString('upstreamproxy'),
    cString(folder),
    cString('tmpfs'),
    MS_NOSUID_NODEV_NOEXEC,
    cString('size=64k,mode=755'),
  );
  requireDone(`cannot mount over ${folder}`, result);
}

function cString(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, 'utf8');
}

function realPathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    // Absent, or a link to nowhere.
    return undefined;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
