// `upstreamproxy cleanup`: takes away what sessions have placed in HOME and in the system's stores and could not take away.

import { tmpdir } from 'node:os';

import { placementsDirectory } from '../../agent/home-files/outside-files.ts';
import { knownPlacements } from '../../agent/home-files/known-places.ts';
import { removeLeftovers } from '../../agent/placements/leftovers.ts';
import { removeLeftFolders } from '../../agent/placements/session-folder.ts';
import { cleanupDefinition } from '../commands/cleanup-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { commandOf } from '../terminal/command.ts';
import { jsonLine } from '../terminal/text-table.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

async function cleanup({ options }: Input<typeof cleanupDefinition>): Promise<number> {
  const environment = workloadEnvironment(process.env);
  const directory = placementsDirectory(environment);
  const known = knownPlacements({ home: environment['HOME'], root: '/' });
  const { sessions, kept } =
    directory === undefined ? { sessions: 0, kept: [] } : await removeLeftovers(directory, known);
  const folders = await removeLeftFolders(tmpdir());
  if (options.json) process.stdout.write(jsonLine({ sessions, folders, kept }));
  if (options.json || options.quiet) return 0;
  for (const path of kept) process.stderr.write(`upstreamproxy: stays: ${path}\n`);
  process.stdout.write(`removed what ${sessions} sessions have placed, and ${folders.length} folders\n`);
  return 0;
}

export const cleanupCommand = commandOf(cleanupDefinition, cleanup);
