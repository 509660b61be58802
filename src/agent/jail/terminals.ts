// The command's own terminals (devpts): those of outside, which its user could write to and read from, have no path any more. Its own
// terminal keeps its number, by which programs know it (ttyname(3)).

import { readdirSync, readlinkSync } from 'node:fs';
import { requireDone } from '../../system/kernel-fault.ts';
import { mounts } from './kernel-files.ts';
import type { Kernel } from './raw-listener.ts';

const AT_FDCWD = -100;
const O_RDWR_NOCTTY_CLOEXEC = 0o2 | 0o400 | 0o2000000;
const O_PATH_CLOEXEC = 0o10000000 | 0o2000000;
const MS_NOSUID_NOEXEC = 2 | 8;
const MS_BIND = 0x1000;
/** _IOR('T', 0x30, unsigned int): the number of a terminal, asked of its master. */
const TIOCGPTN = 0x80045430;
const place = '/dev/pts';
/** The own terminal's number is reached by opening all below it. */
const numberMax = 255;

/** What holds the place of the own terminals: somebody has to keep these descriptors open as long as there is a command. */
export interface OwnTerminals {
  readonly masters: readonly number[];
}

/**
 * Lays a file system of terminals over that of outside, in this thread's mounts. Undefined where there is none, or it is at another place.
 * Throws an Error that says what the kernel refuses, and is then without effect.
 */
export function enterOwnTerminals(kernel: Kernel): OwnTerminals | undefined {
  const found = mounts().filter(({ type }) => type === 'devpts');
  if (found.length === 0 || found.some((mount) => mount.place !== place)) return undefined;
  const { calls, numbers } = kernel;
  const own = [...new Set([0, 1, 2].map(terminalOf))].filter((number) => number !== undefined);
  const kept = own.map((number) => ({
    number,
    fd: open(kernel, `${place}/${number}`, O_PATH_CLOEXEC),
  }));
  try {
    const [type, options] = [Buffer.from('devpts\0'), Buffer.from('ptmxmode=0666\0')];
    const mounted = calls.call(
      numbers.mount,
      type,
      Buffer.from(`${place}\0`),
      type,
      MS_NOSUID_NOEXEC,
      options,
    );
    requireDone(`cannot mount ${place}`, mounted);
    return { masters: kept.map(({ number, fd }) => keepPlace(kernel, number, fd)) };
  } finally {
    for (const { fd } of kept) calls.call(numbers.close, fd);
  }
}

/** Whether no terminal of outside has a path; those of this process have theirs. */
export function hasOwnTerminals(): boolean {
  const own = new Set([0, 1, 2].map((fd) => String(terminalOf(fd))));
  try {
    return readdirSync(place).every((name) => name === 'ptmx' || own.has(name));
  } catch {
    // Without the folder there are none by a path.
    return true;
  }
}

/** The number of the terminal behind a descriptor; undefined for other things. */
function terminalOf(fd: number): number | undefined {
  try {
    const [, number] = /^\/dev\/pts\/(\d+)$/.exec(readlinkSync(`/proc/thread-self/fd/${fd}`)) ?? [];
    return number === undefined || Number(number) > numberMax ? undefined : Number(number);
  } catch {
    // Closed.
    return undefined;
  }
}

/** Opens terminals until one has the number, and lays the one of outside over it. Returns the master of the one below. */
function keepPlace(kernel: Kernel, number: number, source: number): number {
  const { calls, numbers } = kernel;
  const others: number[] = [];
  try {
    for (let opened = 0; opened <= numberMax; opened++) {
      const master = open(kernel, '/dev/ptmx', O_RDWR_NOCTTY_CLOEXEC);
      const seen = new Uint32Array(1);
      const asked = calls.call(numbers.ioctl, master, TIOCGPTN, new Uint8Array(seen.buffer));
      if (asked >= 0 && seen[0] === number) {
        const [from, to] = [`/proc/thread-self/fd/${source}\0`, `${place}/${number}\0`].map((path) =>
          Buffer.from(path),
        );
        requireDone('cannot keep the terminal', calls.call(numbers.mount, from ?? 0, to ?? 0, 0, MS_BIND, 0));
        return master;
      }
      others.push(master);
    }
    throw new Error(`the terminal ${number} cannot keep its number`);
  } finally {
    for (const master of others) calls.call(numbers.close, master);
  }
}

function open({ calls, numbers }: Kernel, path: string, flags: number): number {
  return requireDone(
    `cannot open ${path}`,
    calls.call(numbers.openat, AT_FDCWD, Buffer.from(`${path}\0`), flags, 0),
  );
}
