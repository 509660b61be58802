// Files in HOME for one session: each only where there is none, all taken away again.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asProxyError } from '../../protocol/error.ts';
import type { Logger } from '../../system/logger.ts';
import { type HomeFileFacts, homeFiles } from './home-file-table.ts';
import { monoStore } from './mono-store.ts';
import { nssDatabase } from './nss-database.ts';
import type { Placements } from '../placements/placements.ts';

export interface HomeFilesOptions extends HomeFileFacts {
  readonly home: string;
  readonly logger: Logger;
}

/** Mono has its settings there, wherever it came from. */
const monoConfiguration = '/etc/mono';

/**
 * Places them. What is there already is left as it is and told; one that cannot be written is told and left out.
 * Disposing the placements takes them away.
 */
export async function placeHomeFiles(options: HomeFilesOptions, placements: Placements): Promise<void> {
  const { home, logger } = options;
  const place = async (path: string, content: string | Uint8Array, mode: number): Promise<void> => {
    try {
      if (!(await placements.placeFile(join(home, path), content, mode)))
        logger.warn(`~/${path} is there already and stays as it is; what reads it may not find the proxy`);
    } catch (error) {
      logger.warn(`~/${path} is left out: ${asProxyError(error).message}`);
    }
  };
  for (const { path, text, mode } of homeFiles(options)) await place(path, text, mode);
  if (existsSync(monoConfiguration)) {
    for (const { path, text, mode } of monoStore(await readFile(options.ownCa, 'utf8')))
      await place(path, text, mode);
  }
  if (existsSync(join(home, '.pki/nssdb'))) {
    logger.warn('~/.pki/nssdb is there already and stays as it is: Chromium will not trust the gateway');
    return;
  }
  try {
    const own = await readFile(options.ownCa, 'utf8');
    for (const { path, content } of (await nssDatabase(home, own)) ?? []) await place(path, content, 0o600);
  } catch (error) {
    logger.warn(`~/.pki/nssdb is left out: ${asProxyError(error).message}`);
  }
}
