// What several gateways on one PostgreSQL hold and do, by their number, and what a request costs there beside SQLite: npm run bench -- cluster

import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { startGateway } from './contenders.ts';
import type { Contender, GatewayProcess } from './contenders.ts';
import { CpuReader, residentKilobytes, withDescendants } from './process-usage.ts';
import { loadNow, machineLine } from './report/machine.ts';
import { saveSection } from './report/saved-section.ts';
import { median } from './report/statistics.ts';
import { format, table } from './report/table.ts';
import { openSessions } from './scale/sessions.ts';
import { measureRequests, openScene } from './scene.ts';
import type { Scene } from './scene.ts';
import { type PostgresServer, startPostgres } from '../test/support/postgres-server.ts';

interface Sizes {
  /** Of gateways. */
  readonly counts: readonly number[];
  /** Sessions and idle streams of each gateway. */
  readonly sessions: number;
  readonly streams: number;
  readonly phaseMs: number;
  readonly rounds: number;
}

const full: Sizes = { counts: [1, 2, 3], sessions: 100, streams: 1000, phaseMs: 3000, rounds: 5 };
const quick: Sizes = { counts: [1, 2], sessions: 3, streams: 20, phaseMs: 400, rounds: 2 };

interface ByCount {
  readonly count: number;
  /** A second, of all gateways. */
  readonly enrolments: number;
  /** Milliseconds of CPU of one session that starts. */
  readonly enrolGateway: number;
  readonly enrolDatabase: number;
  /** Kilobytes, in its gateway. */
  readonly session: number;
  readonly stream: number;
  /** Of the first gateway before any session. */
  readonly empty: number;
  /** A second, of all gateways, from the first request until the database has the last event. */
  readonly events: number;
  /** Microseconds of CPU. */
  readonly requestGateway: number;
  readonly eventDatabase: number;
}

export async function benchCluster(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      save: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
    },
  });
  const sizes = values.quick ? quick : full;
  const loadAtStart = loadNow();
  await using scene = await openScene();
  const found: ByCount[] = [];
  for (const count of sizes.counts) {
    found.push(await withGateways(scene, count, sizes));
    console.error(`gateways: ${count}`, JSON.stringify(found.at(-1)));
  }
  const pairs = await pairedCost(scene, sizes);
  const machine = machineLine(loadAtStart, [
    `${sizes.sessions} sessions and ${sizes.streams} idle streams a gateway`,
  ]);
  const text = `${machine}.\n\n${countTable(found)}\n\n${pairTable(pairs)}`;
  console.log(text);
  if (values.save) await saveSection('cluster', text);
}

/** As production has it: what is said to be stored is on the disk. */
async function openDatabase(stack: AsyncDisposableStack): Promise<PostgresServer> {
  const database = stack.use(await startPostgres({ settings: ['fsync=on', 'full_page_writes=on'] }));
  await database.run('CREATE DATABASE state');
  return database;
}

function storeLines(database: PostgresServer): string {
  return `store: ${JSON.stringify({ url: database.url('state'), dangerouslyWithoutTls: true })}\n`;
}

async function withGateways(scene: Scene, count: number, sizes: Sizes): Promise<ByCount> {
  await using stack = new AsyncDisposableStack();
  const database = await openDatabase(stack);
  const gateways: GatewayProcess[] = [];
  const folders: string[] = [];
  while (gateways.length < count) {
    const folder = await scene.folder();
    folders.push(folder);
    const [first] = gateways;
    if (first !== undefined) await shareIdentity(first.state, join(folder, 'gateway'));
    gateways.push(stack.use(await startGateway(folder, scene.origin, { config: storeLines(database) })));
  }
  const agents: Contender[] = [];
  for (const gateway of gateways) agents.push(await gateway.startAgent());
  const pidsOf = (): readonly number[] => gateways.flatMap((gateway) => gateway.pids());
  const serverPids = (): readonly number[] => withDescendants(database.pid);
  const openers = gateways.map((gateway, i) => openSessions(gateway, folders[i] ?? '', stack));
  const eachOpens = (sessions: number): Promise<unknown> =>
    Promise.all(openers.map((open) => open(sessions)));
  // What is compiled and cached at first is not the sessions'.
  await eachOpens(Math.min(5, sizes.sessions));
  await requestsOfAll(scene, agents, sizes.phaseMs);
  const empty = residentKilobytes(gateways[0]?.pids() ?? []);
  const before = residentKilobytes(pidsOf());
  const enrol = [new CpuReader(pidsOf()), new CpuReader(serverPids())] as const;
  const enrolFrom = performance.now();
  await eachOpens(sizes.sessions);
  const enrolMs = performance.now() - enrolFrom;
  const sessions = count * sizes.sessions;
  const [enrolGateway, enrolDatabase] = enrol.map((reader) => (reader.seconds() * 1000) / sessions);
  const withSessions = residentKilobytes(pidsOf());
  for (const { to } of agents) await scene.generator.run({ kind: 'hold', to, count: sizes.streams });
  const withStreams = residentKilobytes(pidsOf());
  const audit = await eventsOfAll(scene, { agents, database, pidsOf, serverPids }, sizes.phaseMs);
  return {
    count,
    enrolments: (sessions / enrolMs) * 1000,
    enrolGateway: enrolGateway ?? Number.NaN,
    enrolDatabase: enrolDatabase ?? Number.NaN,
    session: (withSessions - before) / sessions,
    stream: (withStreams - withSessions) / (count * sizes.streams),
    empty,
    ...audit,
  };
}

/** Gateways on one store have the same keys and authorities. */
async function shareIdentity(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  for (const name of ['ca', 'server', 'signing-key.pem'])
    await cp(join(from, name), join(to, name), { recursive: true, preserveTimestamps: true });
}

/** Over all agents by turns. */
async function requestsOfAll(scene: Scene, agents: readonly Contender[], ms: number): Promise<number> {
  const [first] = agents;
  if (first === undefined) return 0;
  const proxyPort = agents.flatMap(({ to }) => to.proxyPort ?? []);
  const to = { ...first.to, proxyPort, caPem: agents.map((agent) => agent.to.caPem).join('\n') };
  return (await scene.generator.run({ kind: 'requests', to, connections: 16 * agents.length, ms })).count;
}

interface Measured {
  readonly agents: readonly Contender[];
  readonly database: PostgresServer;
  readonly pidsOf: () => readonly number[];
  readonly serverPids: () => readonly number[];
}

async function eventsOfAll(
  scene: Scene,
  { agents, database, pidsOf, serverPids }: Measured,
  ms: number,
): Promise<Pick<ByCount, 'events' | 'requestGateway' | 'eventDatabase'>> {
  const stored = async (): Promise<number> =>
    Number((await database.run('SELECT count(*) AS n FROM audit', 'state')).rows[0]?.['n']);
  const before = await settled(stored);
  const gatewayCpu = new CpuReader(pidsOf());
  const databaseCpu = new CpuReader(serverPids());
  const from = performance.now();
  const requests = await requestsOfAll(scene, agents, ms);
  let events = 0;
  while (events < requests) events = (await stored()) - before;
  const seconds = (performance.now() - from) / 1000;
  return {
    events: events / seconds,
    requestGateway: (gatewayCpu.seconds() / requests) * 1e6,
    eventDatabase: (databaseCpu.seconds() / events) * 1e6,
  };
}

/** Once it does not change any more. */
async function settled(read: () => Promise<number>): Promise<number> {
  for (let last = -1; ;) {
    const now = await read();
    if (now === last) return now;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
}

interface Pair {
  readonly sqlite: { readonly cpu: number; readonly perSecond: number };
  readonly postgres: { readonly cpu: number; readonly perSecond: number };
}

/** One gateway on each engine, measured by turns. */
async function pairedCost(scene: Scene, { rounds, phaseMs }: Sizes): Promise<readonly Pair[]> {
  await using stack = new AsyncDisposableStack();
  const database = await openDatabase(stack);
  const start = async (config: string): Promise<GatewayProcess> =>
    stack.use(await startGateway(await scene.folder(), scene.origin, { config }));
  const [sqlite, postgres] = [await start(''), await start(storeLines(database))];
  const measured = async (gateway: GatewayProcess): Promise<Pair['sqlite']> => {
    // What one session may leave in the audit has a bound.
    await using agent = await gateway.startAgent();
    const { cpu, perSecond } = await measureRequests(scene, agent, phaseMs);
    return { cpu: cpu['gateway'] ?? Number.NaN, perSecond };
  };
  const pairs: Pair[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Each is first in every second round.
    const order = round % 2 === 0 ? [sqlite, postgres] : [postgres, sqlite];
    const figures = new Map<GatewayProcess, Pair['sqlite']>();
    for (const one of order) figures.set(one, await measured(one));
    const [ofSqlite, ofPostgres] = [figures.get(sqlite), figures.get(postgres)];
    if (ofSqlite !== undefined && ofPostgres !== undefined)
      pairs.push({ sqlite: ofSqlite, postgres: ofPostgres });
    console.error(`paired: ${round + 1} of ${rounds}`, JSON.stringify(pairs.at(-1)));
  }
  return pairs;
}

function countTable(found: readonly ByCount[]): string {
  const row = (name: string, of: (one: ByCount) => number): readonly string[] => [
    name,
    ...found.map((one) => format(of(one))),
  ];
  return table(
    ['what', ...found.map(({ count }) => `${count} gateway${count === 1 ? '' : 's'}`)],
    [
      row('memory of a gateway without sessions, MB', ({ empty }) => empty / 1024),
      row('memory of a session in its gateway, KB', ({ session }) => session),
      row('memory of an idle stream in its gateway, KB', ({ stream }) => stream),
      row('sessions that start a second, all gateways', ({ enrolments }) => enrolments),
      row('CPU of a session that starts, gateway, ms', ({ enrolGateway }) => enrolGateway),
      row('CPU of a session that starts, PostgreSQL, ms', ({ enrolDatabase }) => enrolDatabase),
      row('events of the audit stored a second, all gateways', ({ events }) => events),
      row('CPU of a request, gateway, µs', ({ requestGateway }) => requestGateway),
      row('CPU of an event, PostgreSQL, µs', ({ eventDatabase }) => eventDatabase),
    ],
  );
}

function pairTable(pairs: readonly Pair[]): string {
  const cell = (values: readonly number[]): string =>
    `${format(median(values))} (${format(Math.min(...values))}–${format(Math.max(...values))})`;
  return table(
    ['one gateway, by turns', 'SQLite', 'PostgreSQL', 'PostgreSQL / SQLite'],
    [
      [
        'CPU of a request in the gateway, µs',
        cell(pairs.map(({ sqlite }) => sqlite.cpu)),
        cell(pairs.map(({ postgres }) => postgres.cpu)),
        cell(pairs.map(({ sqlite, postgres }) => postgres.cpu / sqlite.cpu)),
      ],
      [
        'requests a second',
        cell(pairs.map(({ sqlite }) => sqlite.perSecond)),
        cell(pairs.map(({ postgres }) => postgres.perSecond)),
        cell(pairs.map(({ sqlite, postgres }) => postgres.perSecond / sqlite.perSecond)),
      ],
    ],
  );
}
