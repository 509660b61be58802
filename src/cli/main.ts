// The program with all its commands.

import { commands } from './command-table.ts';
import { runProgram } from './terminal/program.ts';

await runProgram({
  name: 'upstreamproxy',
  commands,
  definitions: async () => (await import('./commands/definitions.ts')).definitions,
});
