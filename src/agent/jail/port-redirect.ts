// Every port of the addresses that stand for names led to one that is captured, by nft(8) inside the command's network.

import { spawnSync } from 'node:child_process';
import { fakeNetwork } from '../capture/fake-addresses.ts';
import { findProgram } from './become-program.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** Not the PATH of the environment: it runs with the rights of the helper. */
const toolPath = '/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin';

/** Leads all ports but `captured` to the last of them. Throws an Error that says why it cannot be done. */
export function redirectPorts(captured: readonly number[]): void {
  const tool = findProgram('nft', toolPath);
  if ('code' in tool)
    throw new Error('all ports can be captured only by nft(8) of nftables, which is not here');
  const { status, stderr, error } = spawnSync(tool.path, ['-f', '-'], {
    input: redirectRules(captured),
    env: { LC_ALL: 'C' },
    timeout: defaultLimits.portRedirectTimeoutMs,
    encoding: 'utf8',
  });
  if (status === 0) return;
  const [line = ''] = (stderr ?? '').split('\n');
  throw new Error(`nft: ${line === '' ? (error?.message ?? `it ended with ${status}`) : line}`);
}

/** The address stays: it says which name is meant. Without a port that is captured there is none to lead to. */
function redirectRules(captured: readonly number[]): string {
  const target = captured.at(-1);
  if (target === undefined) throw new Error('no port is captured');
  return `table ip upstreamproxy {
  chain out {
    type nat hook output priority -100;
    ip daddr ${fakeNetwork.range} tcp dport != { ${captured.join(', ')} } dnat to :${target}
  }
}
`;
}
