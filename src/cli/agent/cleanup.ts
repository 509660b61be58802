// `upstreamproxy cleanup`: takes away what sessions have placed in HOME and in the system's stores and could not take away.

import { tmpdir } from 'node:os';

import { placementsDirectory } from '../../agent/home-files/outside-files.ts';
import { knownPlacements } from '../../agent/home-files/known-places.ts';
import { removeLeftovers } from '../../agent/placements/leftovers.ts';
import { removeLeftFolders } from '../../agent/placements/session-folder.ts';
import { parseOptions, type Command } from '../terminal/command.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

const usage = `upstreamproxy cleanup [--quiet]

Removes what sessions of this user have left that were killed: files in HOME (--home-files), changes of the system's
trust stores (--system-store) and of /etc/resolv.conf (--capture-loopback), and folders of trust files. What somebody has
changed since stays and is told; so is what no session places. The next session does the same.

  -q, --quiet           no lines about what was done
`;

async function cleanup(args: readonly string[]): Promise<number> {
  const { values } = parseOptions('cleanup', args, { quiet: { type: 'boolean', short: 'q' } });
  const environment = workloadEnvironment(process.env);
  const directory = placementsDirectory(environment);
  const known = knownPlacements({ home: environment['HOME'], root: '/' });
  const { sessions, kept } =
    directory === undefined ? { sessions: 0, kept: [] } : await removeLeftovers(directory, known);
  const folders = await removeLeftFolders(tmpdir());
  if (values.quiet === true) return 0;
  for (const path of kept) process.stderr.write(`upstreamproxy: stays: ${path}\n`);
  process.stdout.write(`removed what ${sessions} sessions have placed, and ${folders.length} folders\n`);
  return 0;
}

export const cleanupCommand: Command = { usage, run: cleanup };
