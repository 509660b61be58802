// `protocol: ssh` of a rule, compiled: which server it is, and what a client may run on it.

import { type GitCondition, gitCovers, gitText } from './git-condition.ts';

export interface SshEnd {
  readonly protocol: 'ssh';
  /** The server has to have one of them: type and base64, as in known_hosts. */
  readonly hostKeys: readonly string[];
  /** What git may do; any of them is enough. */
  readonly git: readonly SshGit[];
  /** Commands that may be run, to the letter. */
  readonly commands: readonly string[];
  /** Whether there are shells. Those that are opened are recorded: what they show, or all. */
  readonly shell: 'none' | SshShell;
  /** Paths of repositories are sent as paths from the root. */
  readonly isAbsolute: boolean;
}

export type SshShell = 'record' | 'record-all';

/** By how much they let through unseen. */
const shells: readonly SshEnd['shell'][] = ['none', 'record-all', 'record'];

export interface SshGit {
  readonly condition: GitCondition;
  /** The same, as text: two that differ have two texts. */
  readonly text: string;
}

const shellTexts: Readonly<Record<SshShell, string>> = {
  record: 'a shell, of which is recorded what it shows',
  'record-all': 'a shell, of which is recorded what it shows and what is sent to it',
};

export function sshGit(condition: GitCondition): SshGit {
  return { condition, text: gitText(condition) };
}

export function sshText({ hostKeys, git, commands, shell, isAbsolute }: SshEnd): string {
  return [
    ...(git.length === 0 ? [] : [`git ${git.map(({ text }) => text).join(' | ')}`]),
    ...(commands.length === 0 ? [] : [`commands ${commands.map((one) => JSON.stringify(one)).join(', ')}`]),
    ...(shell === 'none' ? [] : [shellTexts[shell]]),
    ...(isAbsolute ? ['paths from the root'] : []),
    `server ${hostKeys.join(', ')}`,
  ].join('; ');
}

export function sshCovers(outer: SshEnd, inner: SshEnd): boolean {
  const effect = 'allow' as const;
  return (
    inner.hostKeys.every((one) => outer.hostKeys.includes(one)) &&
    inner.commands.every((one) => outer.commands.includes(one)) &&
    shells.indexOf(inner.shell) <= shells.indexOf(outer.shell) &&
    inner.isAbsolute === outer.isAbsolute &&
    inner.git.every((one) =>
      outer.git.some((other) => gitCovers({ git: other.condition, effect }, { git: one.condition, effect })),
    )
  );
}
