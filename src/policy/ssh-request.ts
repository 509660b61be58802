// What a client of SSH asks a server to run. What a rule is to allow is read strictly and written anew, so that a shell on the server reads
// what was judged.

import type { GitOperation } from './git-request.ts';

export type SshRequest =
  | {
      readonly kind: 'git';
      readonly operation: GitOperation;
      /** Without the slash before it and `.git` behind it: as over HTTPS. */
      readonly repository: string;
      /** Whether `.git` was written. */
      readonly hasSuffix: boolean;
    }
  | { readonly kind: 'command'; readonly command: string };

const gitServices: ReadonlyMap<string, GitOperation> = new Map([
  ['git-upload-pack', 'fetch'],
  ['git-receive-pack', 'push'],
]);

/** As git writes it: one word in single quotes, without a character that a shell or a server could take for something else. */
const gitCommand = /^(git-[a-z-]{1,32}|git [a-z-]{1,32}) '\/?([A-Za-z0-9._+@/-]{1,500})'$/;

/** Every command that is not one of git's to the letter is a command. */
export function readSshCommand(command: string): SshRequest {
  const [, service = '', path = ''] = gitCommand.exec(command) ?? [];
  const operation = gitServices.get(service.replace('git ', 'git-'));
  if (operation === undefined) return { kind: 'command', command };
  const hasSuffix = path.length > 4 && path.endsWith('.git');
  const repository = hasSuffix ? path.slice(0, -4) : path;
  if (!repository.split('/').every(isSegment)) return { kind: 'command', command };
  return { kind: 'git', operation, repository, hasSuffix };
}

/** Names of one spelling: no way up, nothing that looks like an option, and no suffix within a suffix. */
function isSegment(segment: string): boolean {
  return /^[A-Za-z0-9_+@.][A-Za-z0-9._+@-]*$/.test(segment) && !/^\.{1,2}$|\.git$/.test(segment);
}

/** What the server is asked to run. */
export function sshCommandText(request: SshRequest, isAbsolute: boolean): string {
  if (request.kind === 'command') return request.command;
  const { operation, repository, hasSuffix } = request;
  const service = operation === 'push' ? 'git-receive-pack' : 'git-upload-pack';
  return `${service} '${isAbsolute ? '/' : ''}${repository}${hasSuffix ? '.git' : ''}'`;
}
