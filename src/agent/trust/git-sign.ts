// The program that git calls in place of ssh-keygen where the gateway signs: what is to be signed with its key goes to it, all else to the real one.

import { join } from 'node:path';
import { writeFileAtomically } from '../../system/atomic-file.ts';

/** In the folder of the session. */
export const gitSignName = 'upstreamproxy-git-sign';

/** @param command program and first arguments of this program, for a shell */
export async function writeGitSign(
  directory: string,
  { command, key }: { readonly command: readonly string[]; readonly key: string },
): Promise<string> {
  const path = join(directory, gitSignName);
  await writeFileAtomically(path, gitSignScript(command, key), { mode: 0o755, durable: false });
  return path;
}

/** For a POSIX shell; `key` is a public key of SSH: type and base64. */
function gitSignScript(command: readonly string[], key: string): string {
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const [, base64 = ''] = key.split(' ');
  return `#!/bin/sh
# Written by upstreamproxy for one session: the gateway signs what git signs with its key. All else is for ssh-keygen.
key=
last=
for word do
  [ "$last" = -f ] && key=$word
  last=$word
done
if [ "\${1-} \${2-}" = '-Y sign' ] && [ -r "$key" ]; then
  line=
  IFS= read -r line <"$key" || :
  case $line in
    *' ${base64}'*) exec ${quoted} git-sign -- "$@" ;;
  esac
fi
exec ssh-keygen "$@"
`;
}
