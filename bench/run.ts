// One paired comparison: each round runs every contender once, and ratios are taken inside a round.
// usage: npm run bench -- run-true, or
//        npm run bench [-- --rounds N --megabytes N --seconds N --only NAME,NAME]

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { direct, keyedHosts, originHost, squid, startOrigin, upstreamproxy } from './contenders.ts';
import type { Contender } from './contenders.ts';
import { expectedUpload, get, open, post, target, upload } from './load-client.ts';
import type { Target } from './load-client.ts';

/** The one comparison with options of its own. */
const runsTrue = process.argv[2] === 'run-true';
const { values } = parseArgs({
  args: runsTrue ? [] : process.argv.slice(2),
  options: {
    rounds: { type: 'string', default: '5' },
    megabytes: { type: 'string', default: '256' },
    seconds: { type: 'string', default: '1.5' },
    idle: { type: 'string', default: '500' },
    only: { type: 'string', default: 'direct,squid,upstreamproxy' },
  },
});
const rounds = Number(values.rounds);
const bulkBytes = Number(values.megabytes) * 1024 * 1024;
const phaseMs = Number(values.seconds) * 1000;
const idleStreams = Number(values.idle);

type Row = Record<string, number>;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** CPU seconds by role that the work took. */
async function withCpu(
  contender: Contender,
  work: () => Promise<number>,
): Promise<{ result: number; cpu: Row }> {
  const before = contender.usage();
  const result = await work();
  const cpu: Row = {};
  for (const [role, { cpu: after }] of Object.entries(contender.usage()))
    cpu[role] = after - (before[role]?.cpu ?? 0);
  return { result, cpu };
}

function put(row: Row, name: string, cpu: Row, scale: number): void {
  for (const [role, seconds] of Object.entries(cpu)) row[`${name} ${role}`] = seconds * scale;
}

async function bulk(contender: Contender, to: Target, row: Row): Promise<void> {
  const gigabytes = bulkBytes / 1e9;
  const down = await withCpu(contender, async () => {
    const socket = await open(to);
    const seconds = await timed(async () => {
      if ((await get(socket, to, `/bytes/${bulkBytes}`)) !== bulkBytes) throw new Error('short download');
    });
    socket.destroy();
    return bulkBytes / 1e6 / seconds;
  });
  row['down MB/s'] = down.result;
  put(row, 'down CPU s/GB', down.cpu, 1 / gigabytes);
  const up = await withCpu(contender, async () => {
    const socket = await open(to);
    let response = '';
    const seconds = await timed(async () => (response = await upload(socket, to, bulkBytes)));
    if (response !== expectedUpload(bulkBytes)) throw new Error(`upload arrived as ${response}`);
    socket.destroy();
    return bulkBytes / 1e6 / seconds;
  });
  row['up MB/s'] = up.result;
  put(row, 'up CPU s/GB', up.cpu, 1 / gigabytes);
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function keepAlive(contender: Contender, to: Target, row: Row, workers: number): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: workers }, () => open(to)));
  const latencies: number[] = [];
  const { result, cpu } = await withCpu(contender, async () => {
    const start = performance.now();
    const untilMs = start + phaseMs;
    await Promise.all(
      sockets.map(async (socket) => {
        for (let now = performance.now(); now < untilMs;) {
          await get(socket, to, '/small');
          const next = performance.now();
          latencies.push((next - now) * 1000);
          now = next;
        }
      }),
    );
    return latencies.length / ((performance.now() - start) / 1000);
  });
  for (const socket of sockets) socket.destroy();
  const sorted = latencies.toSorted((a, b) => a - b);
  row[`req/s n=${workers}`] = result;
  row[`p50 µs n=${workers}`] = percentile(sorted, 0.5);
  row[`p99 µs n=${workers}`] = percentile(sorted, 0.99);
  put(row, `CPU µs/req n=${workers}`, cpu, 1e6 / latencies.length);
}

/** Small bodies with a credential: each costs a connection of HTTP/1.1 to the origin, or a stream of HTTP/2. */
async function keyedPosts(contender: Contender, to: Target, row: Row, name: string): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: 16 }, () => open(to)));
  const body = 'x'.repeat(256);
  const { result, cpu } = await withCpu(contender, async () => {
    const start = performance.now();
    const untilMs = start + phaseMs;
    let count = 0;
    await Promise.all(
      sockets.map(async (socket) => {
        for (; performance.now() < untilMs; count += 1) await post(socket, to, '/small', body);
      }),
    );
    return count / ((performance.now() - start) / 1000);
  });
  for (const socket of sockets) socket.destroy();
  row[`POST/s ${name}`] = result;
  put(row, `CPU µs/POST ${name}`, cpu, 1e6 / (result * (phaseMs / 1000)));
}

async function newConnections(contender: Contender, to: Target, row: Row): Promise<void> {
  const latencies: number[] = [];
  const { result, cpu } = await withCpu(contender, async () => {
    const start = performance.now();
    const untilMs = start + phaseMs;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let now = performance.now(); now < untilMs;) {
          const socket = await open(to);
          await get(socket, to, '/small');
          socket.destroy();
          const next = performance.now();
          latencies.push((next - now) * 1000);
          now = next;
        }
      }),
    );
    return latencies.length / ((performance.now() - start) / 1000);
  });
  const sorted = latencies.toSorted((a, b) => a - b);
  row['new TLS conn/s'] = result;
  row['p50 µs conn'] = percentile(sorted, 0.5);
  row['p99 µs conn'] = percentile(sorted, 0.99);
  put(row, 'CPU µs/conn', cpu, 1e6 / latencies.length);
}

async function idleMemory(contender: Contender, to: Target, row: Row): Promise<void> {
  const before = contender.usage();
  const sockets: Awaited<ReturnType<typeof open>>[] = [];
  for (let i = 0; i < idleStreams; i += 1) {
    const socket = await open(to);
    await get(socket, to, '/small');
    sockets.push(socket);
  }
  for (const [role, { kilobytes }] of Object.entries(contender.usage())) {
    row[`KB/idle ${role}`] = (kilobytes - (before[role]?.kilobytes ?? 0)) / idleStreams;
  }
  for (const socket of sockets) socket.destroy();
}

async function round(contender: Contender, to: Target, isLast: boolean): Promise<Row> {
  const row: Row = {};
  await bulk(contender, to, row);
  await keepAlive(contender, to, row, 16);
  await keepAlive(contender, to, row, 1);
  await newConnections(contender, to, row);
  if (isLast) await idleMemory(contender, to, row);
  return row;
}

function median(list: readonly number[]): number {
  return percentile(
    list.toSorted((a, b) => a - b),
    0.5,
  );
}

function format(value: number): string {
  if (!Number.isFinite(value)) return '-';
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

function print(results: ReadonlyMap<string, readonly Row[]>): void {
  const names = [...results.keys()];
  const ours = results.get('upstreamproxy') ?? [];
  const metrics = [
    ...new Set([...results.values()].flatMap((rows) => rows.flatMap((row) => Object.keys(row)))),
  ];
  console.log(
    `\nmedian of ${rounds} rounds; ratio: ours to the other, median (least–greatest) of the rounds\n`,
  );
  console.log(
    [
      'metric',
      ...names,
      ...names.filter((name) => name !== 'upstreamproxy').map((name) => `ours/${name}`),
    ].join(' | '),
  );
  for (const metric of metrics) {
    const cells = names.map((name) =>
      format(
        median((results.get(name) ?? []).map((row) => row[metric] ?? Number.NaN).filter(Number.isFinite)),
      ),
    );
    const ratios = names
      .filter((name) => name !== 'upstreamproxy')
      .map((name) => {
        const other = results.get(name) ?? [];
        const list = ours
          .map((row, i) => (row[metric] ?? Number.NaN) / (other[i]?.[metric] ?? Number.NaN))
          .filter(Number.isFinite);
        if (list.length === 0) return '-';
        return `${format(median(list))} (${format(Math.min(...list))}–${format(Math.max(...list))})`;
      });
    console.log([metric, ...cells, ...ratios].join(' | '));
  }
}

async function main(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'upstreamproxy-bench-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const origin = await startOrigin(directory, stack);
  const only = new Set(values.only.split(','));
  const contenders: Contender[] = [];
  if (only.has('direct')) contenders.push(direct(origin));
  if (only.has('squid')) {
    const peer = await squid(directory, origin);
    if (typeof peer === 'string') console.log(`squid: left out, ${peer}`);
    else contenders.push(stack.use(peer));
  }
  if (only.has('upstreamproxy')) contenders.push(stack.use(await upstreamproxy(directory, origin)));
  const results = new Map<string, Row[]>(contenders.map(({ name }) => [name, []]));
  // One more round first, not counted: code has to be compiled and caches filled.
  for (let i = -1; i < rounds; i += 1) {
    for (const contender of contenders) {
      const to = target({
        proxyPort: contender.proxyPort,
        originPort: origin.port,
        host: originHost,
        ca: contender.ca,
      });
      const row = await round(contender, to, i === rounds - 1);
      // squid gives nobody a credential.
      if (contender.name !== 'squid') {
        for (const kind of ['http1', 'http2'] as const) {
          const keyed = { ...to, originPort: origin.keyedPorts[kind], host: keyedHosts[kind] };
          await keyedPosts(contender, keyed, row, kind);
        }
      }
      if (i >= 0) results.get(contender.name)?.push(row);
      console.error(
        `round ${i + 1} of ${rounds}: ${contender.name}: ${format(row['down MB/s'] ?? 0)} MB/s down, ${format(row['req/s n=16'] ?? 0)} req/s`,
      );
    }
  }
  print(results);
}

if (runsTrue) {
  const { benchRunTrue } = await import('./run-true.ts');
  await benchRunTrue(process.argv.slice(3));
} else await main();
