// Our path beside other programs, with the same load in the same run.

import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { quietCpu } from './comparison.ts';
import type { ContenderRounds, Operation } from './comparison.ts';
import { direct } from './contenders.ts';
import { Phases } from './phases.ts';
import { debianPeers } from './peers/debian-peers.ts';
import { installNpmPeers, npmPeers } from './peers/npm-peers.ts';
import type { Peer, PeerFacts, PeerPlace } from './peers/peer.ts';
import { loadNow, machineLine } from './report/machine.ts';
import { saveSection } from './report/saved-section.ts';
import { median } from './report/statistics.ts';
import { format, table } from './report/table.ts';
import { openScene } from './scene.ts';
import type { Scene } from './scene.ts';
import { startVariant } from './variants.ts';

const ours: PeerFacts = {
  endsTls: 'yes',
  policy: 'of each request',
  credentials: 'of the rule that admits',
  audit: 'of each request, stored',
};
const nothing: PeerFacts = { endsTls: '–', policy: '–', credentials: '–', audit: '–' };

interface Entry {
  readonly name: string;
  readonly facts: PeerFacts;
  readonly version: string | undefined;
  /** Undefined: it is not here, for this reason. */
  readonly phases: Phases | string;
}

export async function benchPeers(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '3' },
      megabytes: { type: 'string', default: '128' },
      seconds: { type: 'string', default: '1.5' },
      only: { type: 'string' },
      folder: { type: 'string' },
      save: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
    },
  });
  const rounds = values.quick ? 1 : Number(values.rounds);
  const sizes = values.quick
    ? { bulkBytes: 8 << 20, phaseMs: 300 }
    : { bulkBytes: Number(values.megabytes) * 1024 * 1024, phaseMs: Number(values.seconds) * 1000 };
  const only = values.only?.split(',');
  const peers = [...npmPeers, ...debianPeers].filter(({ name }) => only?.includes(name) ?? true);
  const loadAtStart = loadNow();
  await using stack = new AsyncDisposableStack();
  const scene = stack.use(await openScene());
  const packages = await installNpmPeers(values.folder ?? join(await scene.folder(), 'npm'));
  const entries = await startAll(scene, { peers, packages, sizes }, stack);
  for (let round = 0; round <= rounds; round += 1)
    for (const { name, phases } of entries) {
      if (typeof phases === 'string') continue;
      await phases.round(round > 0, false);
      console.error(`round ${round} of ${rounds}: ${name}`);
    }
  const kind = values.quick ? 'a quick run that says nothing of speed' : `${rounds} rounds`;
  const text = `${machineLine(loadAtStart, [scene.generator.runtime, kind])}. Medians of the rounds; CPU in the quietest windows where there were enough.\n\n${figureTable(entries)}\n\n${factTable(entries)}`;
  console.log(text);
  if (values.save) await saveSection('peers', text);
}

interface StartOptions {
  readonly peers: readonly Peer[];
  readonly packages: PeerPlace['packages'];
  readonly sizes: { readonly bulkBytes: number; readonly phaseMs: number };
}

async function startAll(
  scene: Scene,
  { peers, packages, sizes }: StartOptions,
  stack: AsyncDisposableStack,
): Promise<Entry[]> {
  const options = { ...sizes, idleStreams: 0, posts: false };
  const phasesOf = (contender: Phases['contender']): Phases => new Phases(contender, scene, options);
  const entries: Entry[] = [
    { name: 'direct', facts: nothing, version: undefined, phases: phasesOf(direct(scene.origin)) },
  ];
  for (const name of ['tls-in-agent', 'tls-in-gateway'] as const) {
    const started = await startVariant(name, await scene.folder(), scene.origin);
    const title = `upstreamproxy, ${name}`;
    const phases = typeof started === 'string' ? started : phasesOf(stack.use(started));
    entries.push({ name: title, facts: ours, version: undefined, phases });
  }
  for (const { name, facts, start } of peers) {
    const started = await start({ directory: await scene.folder(), origin: scene.origin, packages });
    if (typeof started === 'string') {
      console.error(`${name}: left out, ${started}`);
      entries.push({ name, facts, version: undefined, phases: started });
    } else
      entries.push({ name, facts, version: started.version, phases: phasesOf(stack.use(started.contender)) });
  }
  return entries;
}

const metrics = [
  'down MB/s',
  'up MB/s',
  'req/s n=16',
  'p99 µs n=16',
  'p50 µs n=1',
  'new TLS conn/s',
] as const;
const costs: readonly (readonly [string, Operation])[] = [
  ['CPU µs a request', 'request n=16'],
  ['CPU µs a connection', 'new connection'],
  ['CPU s a GB down', 'GB down'],
];

/** CPU of all its processes; of ours agent + gateway. */
function cpuOf(phases: Phases, operation: Operation): string {
  const roles = ['peer', 'agent', 'gateway'].filter((role) =>
    phases.rounds.some((row) => row[`CPU ${operation} ${role}`] !== undefined),
  );
  const of: ContenderRounds = { name: '', rounds: phases.rounds, windows: phases.windows };
  const figures = roles.map((role) => {
    const quiet = quietCpu(of, operation, role);
    return Number.isFinite(quiet)
      ? quiet
      : median(phases.rounds.map((row) => row[`CPU ${operation} ${role}`] ?? Number.NaN));
  });
  return figures.length === 0 ? '–' : figures.map(format).join(' + ');
}

function figureTable(entries: readonly Entry[]): string {
  const rows = entries.map(({ name, version, phases }) => {
    const title = version === undefined ? name : `${name} ${version}`;
    if (typeof phases === 'string') return [title, phases];
    return [title].concat(
      metrics.map((metric) => format(median(phases.rounds.map((row) => row[metric] ?? Number.NaN)))),
      costs.map(([, operation]) => cpuOf(phases, operation)),
    );
  });
  const header = ['program', ...metrics, ...costs.map(([name]) => name)];
  return table(
    header,
    rows.map((row) => row.concat(Array.from({ length: header.length - row.length }, () => ''))),
  );
}

function factTable(entries: readonly Entry[]): string {
  const rows = entries.map(({ name, facts }) => [
    name,
    facts.endsTls,
    facts.policy,
    facts.credentials,
    facts.audit,
  ]);
  return table(['program', 'ends TLS', 'policy', 'credentials', 'audit'], rows);
}
