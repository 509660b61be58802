// A network namespace of its own whose loopback loses packets to and from certain ports. Nothing outside of it is touched.

import { spawnSync } from 'node:child_process';

import { hasProgram } from '../child.ts';

/** Ports of the delays inside: there nobody else has any. */
export const lossPorts = [17_020, 17_021, 17_022, 17_023] as const;

/** nftables rules that drop so many of a hundred packets that arrive at, or come from, the ports. */
export function lossRules(percent: number, ports: readonly number[]): string {
  const set = `{ ${ports.join(', ')} }`;
  const rule = (side: string): string =>
    `    tcp ${side} ${set} numgen random mod 1000 < ${Math.round(percent * 10)} drop`;
  return `table inet loss {
  chain in {
    type filter hook input priority 0
${rule('dport')}
${rule('sport')}
  }
}
`;
}

/**
 * The words before a command that let it run there, or why they would not work. Packets are made as small as those of a real line: one
 * of the loopback device may have 64 KiB, and each loss would be of that much.
 */
export function lossyCommand(percent: number): readonly string[] | string {
  if (process.getuid?.() !== 0) return 'only root makes a network namespace here';
  const missing = ['unshare', 'ip', 'nft', 'ethtool'].filter((name) => !hasProgram(name));
  if (missing.length > 0)
    return `not installed: ${missing.join(', ')} (Debian: util-linux, iproute2, nftables, ethtool)`;
  const script =
    'ip link set lo mtu 1500 up && ethtool -K lo tso off gso off gro off >/dev/null && ' +
    'printf %s "$0" | nft -f - && exec "$@"';
  const command = ['unshare', '--net', 'sh', '-c', script, lossRules(percent, lossPorts)] as const;
  const [program, ...rest] = command;
  const { status, stderr } = spawnSync(program, [...rest, 'true'], { encoding: 'utf8' });
  return status === 0 ? command : `the namespace can't be made: ${stderr.trim().slice(0, 200)}`;
}
