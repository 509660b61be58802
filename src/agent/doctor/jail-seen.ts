// What holds this command, seen from inside: the kernel's own words on this process and its network.

import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

export interface JailSeen {
  readonly noNewPrivileges: boolean;
  readonly seccomp: boolean;
  /** How many are in effect. */
  readonly capabilities: number;
  /** Root without CAP_SYS_ADMIN (capabilities(7), number 21). */
  readonly restrictedRoot: boolean;
  readonly isRoot: boolean;
  /** Not in the first namespace of users, in which all have their numbers. */
  readonly ownUserNamespace: boolean;
  /** There is a loopback interface and nothing else. */
  readonly networkIsolated: boolean;
}

export function jailSeen(): JailSeen {
  const status = readFileSync('/proc/self/status', 'utf8');
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0';
  const effective = BigInt(`0x${field('CapEff')}`);
  return {
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccomp: field('Seccomp') === '2',
    capabilities: [...effective.toString(2)].filter((bit) => bit === '1').length,
    isRoot: process.geteuid?.() === 0,
    ownUserNamespace: !/^\s*0\s+0\s+4294967295$/m.test(readFileSync('/proc/self/uid_map', 'utf8')),
    restrictedRoot: process.geteuid?.() === 0 && (effective & (1n << 21n)) === 0n,
    // Further addresses of an interface have names such as lo:1.
    networkIsolated: Object.keys(networkInterfaces()).every((name) => /^lo(?::|$)/.test(name)),
  };
}
