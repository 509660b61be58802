// The step at the end of the job, whatever became of the others: ends the session, reports, and leaves nothing.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { runToEnd } from './child.ts';
import { readInputs } from './inputs.ts';
import { endArguments } from './job-arguments.ts';
import { endSavedProcess, removePlaces, savedPlaces } from './places.ts';
import { ActionError, fail, needsLookText } from './runner.ts';

async function post(): Promise<void> {
  const places = savedPlaces(process.env);
  if (places === undefined) return;
  try {
    await endSavedProcess(process.env);
    // The main step has taken away what it could not start.
    if (!existsSync(places.state)) return;
    const inputs = readInputs(process.env);
    const program = inputs.program ?? join(places.program, 'node_modules', '.bin', 'upstreamproxy');
    const { code, said } = await runToEnd(program, endArguments(inputs, places, process.env), {
      isLast: true,
    });
    if (code === 1) throw new ActionError(needsLookText);
    if (code !== 0)
      throw new ActionError(said.trim() === '' ? `upstreamproxy ended with ${code}` : said.trim());
  } finally {
    removePlaces(places);
  }
}

await post().catch(fail);
