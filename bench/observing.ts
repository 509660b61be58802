// What it costs to be looked at: requests with the console open, with traces of 1 %, with both and with neither: npm run bench -- console

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { freePort, mustRun, stop } from './child.ts';
import { type GatewayProcess, startGateway } from './contenders.ts';
import { loadNow, machineLine } from './report/machine.ts';
import { saveSection } from './report/saved-section.ts';
import { median, pairedRatio } from './report/statistics.ts';
import { format, table } from './report/table.ts';
import { measureRequests, openScene, type RequestFigures, type Scene } from './scene.ts';

const command = fileURLToPath(new URL('../bin/upstreamproxy', import.meta.url));
const modes = ['off', 'console', 'traces', 'both'] as const;
type Mode = (typeof modes)[number];
const titles: Readonly<Record<Mode, string>> = {
  off: 'off',
  console: 'console open',
  traces: 'traces of 1 %',
  both: 'both',
};

interface Round extends RequestFigures {
  /** What the console was sent, for each request that was counted or not. */
  readonly events: number;
  /** Octets of traces that came to the collector. */
  readonly traced: number;
}

export async function benchObserving(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      save: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '8' },
      seconds: { type: 'string', default: '5' },
    },
  });
  const rounds = values.quick ? 2 : Number(values.rounds);
  const ms = values.quick ? 400 : Number(values.seconds) * 1000;
  const loadAtStart = loadNow();
  await using scene = await openScene();
  await using stack = new AsyncDisposableStack();
  const collector = await startHelper('collector-process.ts', [], stack);
  const [plain, traced] = [
    await startObserved(scene, stack, ''),
    await startObserved(
      scene,
      stack,
      `telemetry: { otlp: { endpoint: "http://127.0.0.1:${collector.first}", tracesSampled: 0.01 } }\n`,
    ),
  ];
  const found: Record<Mode, Round[]> = { off: [], console: [], traces: [], both: [] };
  for (let round = 0; round < rounds; round += 1)
    // Each mode is first in every fourth round.
    for (let i = 0; i < modes.length; i += 1) {
      const mode = modes[(round + i) % modes.length] ?? 'off';
      const gateway = mode === 'off' || mode === 'console' ? plain : traced;
      const isOpen = mode === 'console' || mode === 'both';
      const figures = await measuredRound(scene, gateway, { collector, isOpen, ms });
      found[mode].push(figures);
      console.error(`${round + 1} of ${rounds}, ${mode}:`, JSON.stringify(figures));
    }
  const machine = machineLine(loadAtStart, [`${rounds} rounds of ${ms / 1000} s for each`]);
  const text = `${machine}.\n\n${observingTable(found)}`;
  console.log(text);
  if (values.save) await saveSection('console', text);
}

interface Observed {
  readonly gateway: GatewayProcess;
  readonly admin: string;
  readonly tokenFile: string;
}

/** With an admin API in each: that it listens is not what is measured. */
async function startObserved(scene: Scene, stack: AsyncDisposableStack, config: string): Promise<Observed> {
  const folder = await scene.folder();
  const port = await freePort();
  const admin = `admin: { listen: { address: 127.0.0.1, port: ${port} } }\n`;
  const gateway = stack.use(await startGateway(folder, scene.origin, { config: admin + config }));
  const tokenFile = join(folder, 'viewer.token');
  await mustRun(command, [
    'operator',
    'token',
    '--config',
    gateway.config,
    '--name',
    'bench',
    '--role',
    'viewer',
    '--for',
    '8h',
    '--out',
    tokenFile,
  ]);
  return { gateway, admin: `http://127.0.0.1:${port}`, tokenFile };
}

async function measuredRound(
  scene: Scene,
  { gateway, admin, tokenFile }: Observed,
  { collector, isOpen, ms }: { readonly collector: Helper; readonly isOpen: boolean; readonly ms: number },
): Promise<Round> {
  await using stack = new AsyncDisposableStack();
  // What one session may leave in the audit has a bound.
  const agent = stack.use(await gateway.startAgent());
  const page = isOpen ? await startHelper('console-process.ts', [admin, tokenFile], stack) : undefined;
  await collector.ask();
  const shown =
    page === undefined ? agent : { ...agent, pids: () => ({ ...agent.pids(), console: page.pids }) };
  const figures = await measureRequests(scene, shown, ms);
  return { ...figures, events: Number((await page?.ask()) ?? 0), traced: Number(await collector.ask()) };
}

interface Helper {
  readonly pids: readonly number[];
  /** Its first line. */
  readonly first: string;
  /** What it has counted since it was last asked. */
  ask(): Promise<string>;
}

/** Its first line says that it is ready. */
async function startHelper(
  script: string,
  args: readonly string[],
  stack: AsyncDisposableStack,
): Promise<Helper> {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [file, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  stack.defer(() => stop(child));
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error(`${script} has no pipes`);
  const lines = createInterface({ input: stdout });
  const first = await nextLine(lines, child);
  return {
    pids: [child.pid ?? 0],
    first,
    ask: async () => {
      stdin.write('\n');
      return await nextLine(lines, child);
    },
  };
}

async function nextLine(lines: Interface, child: ChildProcess): Promise<string> {
  const ended = new AbortController();
  const gone = once(child, 'exit', { signal: ended.signal }).then(() => {
    throw new Error('a helper of the bench ended');
  });
  try {
    // An array of one text, by readline.
    const [line] = (await Promise.race([once(lines, 'line', { signal: ended.signal }), gone])) as [string];
    return line;
  } finally {
    ended.abort();
    await gone.catch(() => undefined);
  }
}

function observingTable(found: Readonly<Record<Mode, readonly Round[]>>): string {
  const row = (name: string, of: (round: Round) => number): readonly string[] => [
    name,
    ...modes.map((mode) => format(median(found[mode].map(of)))),
    ...modes.slice(1).map((mode) => {
      const ratio = pairedRatio(found[mode].map(of), found.off.map(of));
      if (ratio === undefined) return '–';
      return `${format(ratio.median)} (${format(ratio.least)}–${format(ratio.greatest)})`;
    }),
  ];
  return table(
    ['what', ...modes.map((mode) => titles[mode]), ...modes.slice(1).map((mode) => `${titles[mode]} / off`)],
    [
      row('CPU of a request, gateway, µs', ({ cpu }) => cpu['gateway'] ?? Number.NaN),
      row('CPU of a request, console process, µs', ({ cpu }) => cpu['console'] ?? Number.NaN),
      row('requests a second', ({ perSecond }) => perSecond),
      row('p50, µs', ({ p50 }) => p50),
      row('p99, µs', ({ p99 }) => p99),
      row('events that the console got', ({ events }) => events),
      row('octets of traces', ({ traced }) => traced),
    ],
  );
}
