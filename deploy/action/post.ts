// The step at the end of the job, whatever became of the others: ends the session, reports, and leaves nothing.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { runToEnd } from './child.ts';
import { readInputs } from './inputs.ts';
import { endArguments } from './job-arguments.ts';
import { endBegunProcess, endSavedProcess, hasBegun, removePlaces, savedPlaces } from './places.ts';
import { ActionError, fail, needsLookText } from './runner.ts';

/** What `job end` says of a folder that has no record, which is no fault where no session stood. */
const noSession = /^upstreamproxy: the job had no session yet\b/m;

/** Of a session that stood. */
const lostText =
  'what the session kept is gone: a step removed it, and nobody knows what was refused. The variables of the session stay set.';

async function post(): Promise<void> {
  const places = savedPlaces(process.env);
  if (places === undefined) return;
  try {
    await endSavedProcess(process.env);
    if (!existsSync(places.state)) {
      // The main step has taken away what it could not start.
      if (!hasBegun(process.env)) return;
      throw new ActionError(lostText);
    }
    const inputs = readInputs(process.env);
    const program = inputs.program ?? join(places.program, 'node_modules', '.bin', 'upstreamproxy');
    const { code, said } = await runToEnd(program, endArguments(inputs, places, process.env), {
      isLast: true,
    });
    if (hasBegun(process.env) && noSession.test(said)) throw new ActionError(lostText);
    if (code === 1) throw new ActionError(needsLookText);
    if (code !== 0)
      throw new ActionError(said.trim() === '' ? `upstreamproxy ended with ${code}` : said.trim());
  } finally {
    // `job end` has, if it found what it kept.
    await endBegunProcess(process.env);
    removePlaces(places);
  }
}

await post().catch(fail);
