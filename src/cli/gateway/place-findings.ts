// Where the gateway writes: whether its folders are there, or can be made as the state folder is.

import { constants } from 'node:fs';
import { access, lstat, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { GatewayConfig } from '../../gateway/config/config.ts';
import type { YamlPath } from '../../policy/yaml-source.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

/** What is wrong with the value of a key. */
export interface Finding {
  readonly at: YamlPath;
  readonly message: string;
  readonly severity?: 'error' | 'warning';
}

/** Nothing is made. */
export async function placeFindings(config: GatewayConfig): Promise<readonly Finding[]> {
  const store = /^sqlite:(\/.+)$/s.exec(config.store)?.[1];
  const folders: readonly (readonly [YamlPath, string])[] = [
    [['stateDirectory'], config.stateDirectory],
    ...(config.identity.kind !== 'own' || config.certificateAuthority.signedBy !== undefined
      ? []
      : [[['certificateAuthority', 'directory'], config.certificateAuthority.directory] as const]),
    ...(store === undefined ? [] : [[['store'], dirname(store)] as const]),
    ...(config.audit.file === undefined ? [] : [[['audit', 'file'], dirname(config.audit.file)] as const]),
  ];
  const findings: Finding[] = [];
  const told: string[] = [];
  for (const [at, folder] of folders) {
    // What lies in a folder of which it is told already.
    if (told.some((one) => folder === one || folder.startsWith(`${one}/`))) continue;
    const reason = await folderProblem(folder);
    if (reason === undefined) continue;
    told.push(folder);
    findings.push({ at, message: `the folder ${folder} cannot be used: ${reason}` });
  }
  const { file } = config.audit;
  const problem = file === undefined ? undefined : await auditFileProblem(file);
  if (problem !== undefined) findings.push({ at: ['audit', 'file'], message: problem });
  return findings;
}

/** Of the nearest folder that is there: below it the others are made. */
async function folderProblem(folder: string): Promise<string | undefined> {
  for (let place = folder; ; place = dirname(place)) {
    try {
      if (!(await stat(place)).isDirectory()) return `${place} is not a folder`;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const isBelow = code === 'ENOENT' || code === 'ENOTDIR';
      if (isBelow && dirname(place) !== place) continue;
      return `${place}: ${faultReason(error)}`;
    }
    try {
      await access(place, constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      return `nothing can be made in ${place}: ${faultReason(error)}`;
    }
  }
}

async function auditFileProblem(file: string): Promise<string | undefined> {
  const status = await lstat(file).catch(() => undefined);
  if (status === undefined) return undefined;
  if (!status.isFile()) return `${file} is not a regular file; name another one`;
  return (status.mode & 0o077) === 0 ? undefined : `others may use ${file}; make it mode 600`;
}
