// `npm run test:cluster -- [--rounds N] [--outage-seconds N] [--streams N] [--minutes N --seed S] [--only TEXT]`: what of several gateways
// takes too long for `npm test`: the races of two gateways on one PostgreSQL server, many thousand times each, and scenarios in which a part of
// the service fails; for so many minutes in an order by the seed, too. Only what says TEXT.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { kindCount } from '../test/support/long-exchanges.ts';
import { postgresBinaries } from '../test/support/postgres-server.ts';

const roundsDefault = 10_000;
const outageSecondsDefault = 60;
const streamsDefault = 100;
/** Without network between agents and gateways. */
const cutSeconds = 20;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: String(roundsDefault) },
    'outage-seconds': { type: 'string', default: String(outageSecondsDefault) },
    streams: { type: 'string', default: String(streamsDefault) },
    minutes: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
const [rounds, outageSeconds] = [Number(values.rounds), Number(values['outage-seconds'])];
const streams = Number(values.streams);
const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
for (const number of [minutes, seed])
  if (!(number >= 0)) throw new Error('--minutes and --seed take a number from 0 on');
for (const number of [rounds, outageSeconds, streams])
  if (!Number.isSafeInteger(number) || number < 1)
    throw new Error('--rounds, --outage-seconds and --streams take a whole number from 1 on');

const binaries = postgresBinaries();
if ('missing' in binaries) throw new Error(binaries.missing);

interface Part {
  readonly what: string;
  /** Of the names of tests. */
  readonly pattern: string;
  readonly file: string;
  readonly environment: NodeJS.ProcessEnv;
}

const fleet = {
  UPSTREAMPROXY_CLUSTER_EACH: String(Math.ceil(streams / kindCount)),
  UPSTREAMPROXY_CLUSTER_OUTAGE_SECONDS: String(cutSeconds),
};
const parts: readonly Part[] = [
  {
    what: `gateways replaced, one killed, and ${cutSeconds} s without network, under about ${streams} streams`,
    pattern: '/^scenario [abc]/',
    file: 'test/e2e/gateway-fleet.test.ts',
    environment: fleet,
  },
  {
    what: 'scenarios e, f, g and i, one part at fault',
    pattern: '/^scenario [efgi]/',
    file: 'test/e2e/gateway-faults.test.ts',
    environment: fleet,
  },
  {
    what: 'scenario i, agents and gateways of earlier versions',
    pattern: '/^scenario i/',
    file: 'test/e2e/earlier-version.test.ts',
    environment: { UPSTREAMPROXY_CLUSTER_VERSIONS: 'all' },
  },
  {
    what: 'the store behind PgBouncer, in both of its modes',
    pattern: '/./',
    file: 'test/store/postgres/postgres-pooler.test.ts',
    environment: { UPSTREAMPROXY_POOL_MODES: 'session transaction' },
  },
  {
    what: `${rounds} rounds of each race`,
    pattern: '/^races: postgres/',
    file: 'test/store/postgres/postgres-store.test.ts',
    environment: { UPSTREAMPROXY_RACE_ROUNDS: String(rounds) },
  },
  {
    what: `scenario d, the database away for ${outageSeconds} s`,
    pattern: '/^scenario d/',
    file: 'test/e2e/store-outage.test.ts',
    environment: { UPSTREAMPROXY_OUTAGE_SECONDS: String(outageSeconds) },
  },
  {
    what: 'scenario s, gateways replaced while the database is away',
    pattern: '/^scenario s/',
    file: 'test/e2e/start-from-peer.test.ts',
    environment: fleet,
  },
  {
    what: 'scenario d, a standby takes over',
    pattern: '/^scenario d/',
    file: 'test/e2e/store-failover.test.ts',
    environment: fleet,
  },
  ...(minutes === 0
    ? []
    : [
        {
          what: `faults in an order by the seed ${seed} for ${minutes} minutes`,
          pattern: '/^scenario r/',
          file: 'test/e2e/gateway-faults-random.test.ts',
          environment: {
            ...fleet,
            UPSTREAMPROXY_CLUSTER_MINUTES: String(minutes),
            UPSTREAMPROXY_CLUSTER_SEED: String(seed),
          },
        },
      ]),
];

async function run({ what, pattern, file, environment }: Part): Promise<boolean> {
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-reporter=spec',
      `--test-name-pattern=${pattern}`,
      file,
    ],
    {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, ...environment },
      stdio: 'inherit',
    },
  );
  const [code] = await once(child, 'exit');
  console.log(
    `${what}: ${code === 0 ? 'passed' : 'failed'}, ${Math.round((performance.now() - started) / 1000)} s`,
  );
  return code === 0;
}

let hasPassed = true;
for (const part of parts)
  if (values.only === undefined || part.what.includes(values.only)) if (!(await run(part))) hasPassed = false;
process.exitCode = hasPassed ? 0 : 1;
