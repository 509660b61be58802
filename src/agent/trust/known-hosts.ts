// Servers of SSH whose connections the gateway ends: which key they have here.

import { join } from 'node:path';
import { writeFileAtomically } from '../../system/atomic-file.ts';

/** In the folder of the session. */
export const knownHostsName = 'known_hosts';

export async function writeKnownHosts(directory: string, text: string): Promise<string> {
  const path = join(directory, knownHostsName);
  await writeFileAtomically(path, text, { mode: 0o644, durable: false });
  return path;
}

/** `UserKnownHostsFile` with the user's own file first; undefined where ssh cannot be told of the path. */
export function knownHostsSetting(path: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (/["\\\u0000-\u001f]/.test(path)) return undefined;
  return `~/.ssh/known_hosts "${path.replaceAll('%', '%%')}"`;
}
