// `ssh` of a rule as it is written, to how its connections are ended.

import { compileGit } from './compile-git.ts';
import type { RuleDocument } from './policy-schema.ts';
import { asList } from './schema-parts.ts';
import { type SshEnd, sshGit } from './ssh-end.ts';
import type { Report } from './yaml-source.ts';

export function compileSsh({ name, ssh, trust }: RuleDocument, report: Report): SshEnd | undefined {
  if (ssh === undefined) {
    report(
      ['protocol'],
      'the rule does not say which server and what may be run; write ssh: { hostKeys: ssh-ed25519 AAAA…, git: { repository: acme/app, operations: fetch } }',
    );
    return undefined;
  }
  if (trust !== undefined)
    report(['trust'], 'SSH has no certificates here; remove "trust", hostKeys says who it is');
  const { git, commands, shell, paths } = ssh;
  if (git === undefined && commands === undefined && shell === undefined)
    report(
      ['ssh'],
      'the rule lets nothing be run; write git: { repository: acme/app }, commands: [uptime], or shell: record',
    );
  const conditions = asList(git).flatMap((one, i) => {
    const own: Report = (path, message, severity) => {
      const place = Array.isArray(git) ? ['ssh', 'git', i] : ['ssh', 'git'];
      report([...place, ...path.slice(1)], message, severity);
    };
    return compileGit({ name, git: one }, own) ?? [];
  });
  return {
    protocol: 'ssh',
    // What stands behind the key is a comment.
    hostKeys: [...new Set(asList(ssh.hostKeys).map((line) => line.split(' ').slice(0, 2).join(' ')))],
    git: conditions.map(sshGit),
    commands: [...new Set(asList(commands))],
    shell: shell ?? 'none',
    isAbsolute: paths === 'absolute',
  };
}
