// Runs commands one after the other as the program does, and tells all that they said: output, error and what caused it. Arguments: a
// file with a list of command lines.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { commands } from '../../../src/cli/command-table.ts';
import { patienceMs } from '../../support/patience.ts';

const lines = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as readonly (readonly string[])[];
const tell = process.stdout.write.bind(process.stdout);
const said: string[] = [];
const listen = (chunk: string | Uint8Array): boolean => {
  said.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8'));
  return true;
};
process.stdout.write = listen as typeof process.stdout.write;
process.stderr.write = listen as typeof process.stderr.write;

const results: { readonly text: string; readonly outcome: number | string }[] = [];
for (const [name = '', ...args] of lines) {
  said.length = 0;
  const load = commands.get(name);
  const late = delay(patienceMs, 'late', { ref: false });
  let outcome: number | string;
  try {
    const command = await load?.();
    outcome = (await Promise.race([command?.run(args), late])) ?? 'absent';
  } catch (error) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
      said.push(`${cause.name}: ${cause.message}`);
    outcome = (error as { readonly code?: string }).code ?? 'thrown';
  }
  results.push({ text: said.join('\n'), outcome });
}
tell(JSON.stringify(results), () => process.exit(0));
