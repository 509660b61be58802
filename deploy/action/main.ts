// The main step of the action. It runs as it stands here, by the type stripping of the runner's Node 24.

import { appendFileSync } from 'node:fs';

import { runToEnd } from './child.ts';
import { requestIdToken } from './id-token.ts';
import { checkInputs, type Inputs, readInputs } from './inputs.ts';
import { runJailed } from './jailed.ts';
import { beginArguments } from './job-arguments.ts';
import { makePlaces, type Places, saveBegun, saveProcess } from './places.ts';
import { findProgram } from './program.ts';
import { ActionError, fail, required } from './runner.ts';

async function main(): Promise<void> {
  if (process.platform !== 'linux')
    throw new ActionError('this action needs a machine with Linux: runs-on: ubuntu-24.04');
  const inputs = readInputs(process.env);
  checkInputs(inputs);
  const places = makePlaces(process.env);
  const program = await findProgram(inputs, places.program);
  const token = inputs.gateway === undefined ? undefined : await requestIdToken(process.env, inputs.audience);
  if (inputs.run === undefined) await beginJob(program, inputs, places, token);
  else await runJailed({ program, inputs, places, token, variables: process.env });
}

/** The steps that follow get its variables. */
async function beginJob(
  program: string,
  inputs: Inputs,
  places: Places,
  token: string | undefined,
): Promise<void> {
  let environment = '';
  const { code, said } = await runToEnd(program, beginArguments(inputs, places, process.ppid), {
    secret: token,
    onStart: (pid) => saveProcess(process.env, pid),
    onOutput: (text) => {
      environment += text;
    },
  });
  if (code !== 0)
    throw new ActionError(said.trim() === '' ? `upstreamproxy ended with ${code}` : said.trim());
  saveBegun(process.env, places);
  appendFileSync(required(process.env, 'GITHUB_ENV'), environment);
}

await main().catch(fail);
