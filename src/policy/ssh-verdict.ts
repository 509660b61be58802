// What a client of SSH asks to run, judged by the rule that ends its connection.

import { HeaderList } from '../http/header-list.ts';
import type { RequestAccess } from './decision.ts';
import { stepsFor } from './decision-work.ts';
import type { PushCommands } from './git-commands.ts';
import { gitMismatch } from './git-rule.ts';
import { MatchingWork } from './matching-work.ts';
import type { SshEnd } from './ssh-end.ts';
import type { SshRequest } from './ssh-request.ts';

/** Whether the rule allows it; of a push whose commands were not read yet, whether there is one that it could allow. */
export function sshAllows(
  end: SshEnd,
  request: SshRequest,
  pushed?: Pick<PushCommands, 'updates' | 'options'>,
): boolean {
  if (request.kind === 'command') return end.commands.includes(request.command);
  const access = gitAccess(request, pushed);
  const work = new MatchingWork(stepsFor(access));
  const isAllowed = end.git.some(
    ({ condition }) => gitMismatch(condition, 'allow', access, work) === undefined,
  );
  // What was cut short is no match.
  return isAllowed && !work.isSpent;
}

/** The same request as git makes it over HTTPS, so that the same words of a rule mean the same. */
export function gitAccess(
  { repository, operation }: Extract<SshRequest, { kind: 'git' }>,
  pushed?: Pick<PushCommands, 'updates' | 'options'>,
): RequestAccess {
  return {
    depth: 'request',
    destination: { scheme: 'https', host: 'ssh.invalid', port: 443 },
    method: 'POST',
    path: `/${repository}.git/git-${operation === 'push' ? 'receive' : 'upload'}-pack`,
    query: '',
    headers: new HeaderList(),
    ...(pushed === undefined ? {} : { pushed: pushed.updates, pushOptions: pushed.options }),
  };
}
