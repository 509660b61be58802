// `npm run test:cluster -- [--rounds N]`: what of several gateways takes too long for `npm test`: the races of two gateways on one
// PostgreSQL server, many thousand times each.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { postgresBinaries } from '../test/support/postgres-server.ts';

const roundsDefault = 10_000;

const { values } = parseArgs({ options: { rounds: { type: 'string', default: String(roundsDefault) } } });
const rounds = Number(values.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1 on');

const binaries = postgresBinaries();
if ('missing' in binaries) throw new Error(binaries.missing);

const started = performance.now();
const child = spawn(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-reporter=spec',
    '--test-name-pattern=/^races: postgres/',
    'test/store/postgres/postgres-store.test.ts',
  ],
  {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, UPSTREAMPROXY_RACE_ROUNDS: String(rounds) },
    stdio: 'inherit',
  },
);
const [code] = await once(child, 'exit');
const seconds = Math.round((performance.now() - started) / 1000);
console.log(`${rounds} rounds of each race, ${seconds} s`);
process.exitCode = code === 0 ? 0 : 1;
