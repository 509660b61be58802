// The program of the single-file gateway: what stands outside of the container, as one file that its own user cannot read.

import { isMainThread, workerData } from 'node:worker_threads';
import {
  auditWriterMarker,
  pacThreadMarker,
  policyThreadMarker,
  statementThreadMarker,
} from '../protocol/thread-program.ts';
import { commands as all } from './command-table.ts';
import { gatewayCommands } from './single-file-commands.ts';
import { runProgram, type CommandTable } from './terminal/program.ts';
import { setAsideForWorkload } from './terminal/workload-environment.ts';

/** A thread is this program again: the module that it is for knows its own data. */
async function runThread(data: unknown): Promise<void> {
  if (typeof data !== 'object' || data === null) return;
  if (auditWriterMarker in data) await import('../store/sqlite/sqlite-audit-writer.ts');
  if (statementThreadMarker in data) await import('../gateway/databases/postgres/sql/statement-reader.ts');
  if (pacThreadMarker in data) await import('../gateway/exits/pac-lane.ts');
  if (policyThreadMarker in data) await import('../gateway/policies/policy-thread.ts');
}

function run(): void {
  // What bin/upstreamproxy does before the runtime starts; this runtime reads none of these.
  setAsideForWorkload(process.env);
  const commands: CommandTable = new Map([...all].filter(([name]) => gatewayCommands.has(name)));
  // Not awaited: the bundle is CommonJS. It ends the process itself.
  void runProgram({
    name: 'upstreamproxy-gateway',
    commands,
    definitions: async () => {
      const { definitions } = await import('./commands/definitions.ts');
      return definitions.filter(({ name }) => commands.has(name));
    },
  });
}

if (isMainThread) run();
else void runThread(workerData);
