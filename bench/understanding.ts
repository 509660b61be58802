// What each thing that rules understand costs a request: the same request by a rule with it and by the same rule without, in turns, in one process with client,
// gateway and origin. npm run bench -- understanding [--rounds N] [--requests N] [--only NAMES] [--before COMMIT] [--quick] [--save]

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openRequestPath, type RequestPath } from '../test/gateway/support/request-path.ts';
import { createTestAuthority } from '../test/support/test-authority.ts';
import { loadNow, machineLine } from './report/machine.ts';
import { saveSection } from './report/saved-section.ts';
import { median } from './report/statistics.ts';

const host = 'bench.test';
const authority = createTestAuthority();
const rows = Array.from({ length: 20 }, (_, id) => ({ id, title: `Issue ${id}`, text: 'x'.repeat(60) }));

/** One request, what the origin says to it, and the keys of a rule that understand it. */
interface Case {
  readonly name: string;
  readonly what: string;
  readonly path: string;
  readonly keys: string;
  readonly body?: object;
  readonly type?: string;
  readonly said: string;
}

const json = (value: object): string => JSON.stringify(value);
const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'search', arguments: { rows } } };
const chat = {
  model: 'gpt-4o',
  max_completion_tokens: 500,
  messages: [{ role: 'user', content: json(rows) }],
};
const usage = { prompt_tokens: 400, completion_tokens: 20, total_tokens: 420 };
const query = `query ($n: Int!) { repository(owner: "acme", name: "app") { ${rows.map(({ id }) => `i${id}: issue(number: $n) { id title }`).join(' ')} } }`;

const cases: readonly Case[] = [
  {
    name: 'mcp',
    what: 'a call of a tool and its result',
    path: '/mcp',
    keys: 'mcp: { tools: search }',
    body: call,
    said: json({ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: json(rows) }] } }),
  },
  {
    name: 'graphql',
    what: 'a query with 20 aliases',
    path: '/graphql',
    keys: 'graphql: { queries: repository, depthMax: 5, costMax: 1000 }',
    body: { query, variables: { n: 1 } },
    said: json({ data: { repository: rows } }),
  },
  {
    name: 'llm',
    what: 'a call of a model, with a budget of tokens',
    path: '/v1/chat/completions',
    keys: 'llm: { api: openai-chat, outputTokens: 1000, budget: { tokens: { session: 1000000000 } } }',
    body: chat,
    said: json({ id: 'x', model: 'gpt-4o', choices: [{ index: 0, message: { content: 'ok' } }], usage }),
  },
  {
    name: 'leaks',
    what: 'a body that is searched, for ten credentials and all shapes',
    path: '/a',
    keys: 'leaks: { on: block }',
    body: { rows },
    said: '{}',
  },
  {
    name: 'screen',
    what: 'a page that is judged',
    path: '/a',
    keys: 'screen: { on: annotate }',
    type: 'text/html',
    said: `<p>${json(rows)}</p>`,
  },
  {
    name: 'rewrite',
    what: 'one field dropped from a request and one redacted in its response',
    path: '/a',
    keys: 'rewrite: { request: { drop: /rows/0/text }, response: { redact: /rows/*/text } }',
    body: { rows },
    said: json({ rows }),
  },
  {
    name: 'json',
    what: 'a condition over the body',
    path: '/a',
    keys: `when: 'has(json.rows) && json.rows.size() < 100'`,
    body: { rows },
    said: '{}',
  },
];

interface Options {
  readonly rounds: number;
  readonly requests: number;
  readonly names: readonly string[];
  readonly before: string | undefined;
  readonly saves: boolean;
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '15' },
      requests: { type: 'string', default: '300' },
      only: { type: 'string' },
      before: { type: 'string' },
      quick: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
    },
  });
  const all = cases.map(({ name }) => name);
  const names = values.only?.split(',') ?? all;
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`there is no row ${unknown}; there are ${all.join(', ')}`);
  return {
    rounds: values.quick ? 2 : Number(values.rounds),
    requests: values.quick ? 20 : Number(values.requests),
    names,
    before: values.before,
    saves: values.save,
  };
}

export async function benchUnderstanding(args: readonly string[]): Promise<void> {
  const options = optionsOf(args);
  const loadAtStart = loadNow();
  const found: string[] = [];
  for (const one of cases.filter(({ name }) => options.names.includes(name)))
    found.push(await measuredCase(one, options));
  const unused = options.before === undefined ? [] : [beside(options.before, options)];
  const machine = machineLine(loadAtStart, [`${options.rounds} rounds of ${options.requests} requests`]);
  const text = [
    `${machine}.`,
    [
      '| key | request | without, µs | with, µs | more, µs: median (quarter–three quarters) |',
      '|---|---|---|---|---|',
      ...found,
    ].join('\n'),
    ...unused,
  ].join('\n\n');
  console.log(text);
  if (options.saves) await saveSection('understanding', text);
}

async function measuredCase(one: Case, { rounds, requests }: Options): Promise<string> {
  await using stack = new AsyncDisposableStack();
  const origin = createServer(authority.issue(host), (asked, response) => {
    asked.resume().on('end', () => {
      response.setHeader('content-type', one.type ?? 'application/json');
      response.end(one.said);
    });
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  stack.defer(() => {
    origin.close();
    origin.closeAllConnections();
  });
  const { port } = origin.address() as AddressInfo;
  const [off, on] = ['', `, ${one.keys}`].map((keys) => stack.use(openPath(port, one.path, keys)));
  if (off === undefined || on === undefined) throw new Error('there are two paths');
  const [without, more]: number[][] = [[], []];
  // The first round warms up.
  for (let round = 0; round <= rounds; round += 1) {
    const first = round % 2 === 0 ? off : on;
    const took = new Map<RequestPath, number>();
    for (const path of [first, first === off ? on : off])
      took.set(path, await send(path, port, one, requests));
    const [base, full] = [took.get(off) ?? Number.NaN, took.get(on) ?? Number.NaN];
    if (round === 0) continue;
    without?.push(base);
    more?.push(full - base);
  }
  console.error(`${one.name}: done`);
  return rowOf(one, without ?? [], more ?? []);
}

function rowOf({ name, what }: Case, without: readonly number[], more: readonly number[]): string {
  const sorted = more.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(0);
  const base = median(without);
  return `| \`${name}\` | ${what} | ${base.toFixed(0)} | ${(base + median(more)).toFixed(0)} | ${median(more).toFixed(0)} (${at(0.25)}–${at(0.75)}) |`;
}

function openPath(port: number, path: string, keys: string): RequestPath {
  const names = Array.from({ length: 10 }, (_, i) => i);
  return openRequestPath({
    policy: `rules:\n  - { name: out, hosts: ${host}, ports: ${port}, paths: ${path}, addresses: 127.0.0.0/8${keys} }\n`,
    hosts: [host],
    trust: [authority.caPem],
    credentials: Object.fromEntries(
      names.map((i) => [`c${i}`, { kind: 'bearer', source: { env: `C${i}` } } as const]),
    ),
    environment: Object.fromEntries(names.map((i) => [`C${i}`, `tok_${i}fJ2kQ7wZr4LmX8vBn3TyHs6Pq${i}`])),
  });
}

/** Microseconds of the processor for a request, of client, gateway and origin together. */
async function send(path: RequestPath, port: number, one: Case, requests: number): Promise<number> {
  const socket = await path.tls(`${host}:${port}`, { alpn: ['http/1.1'] });
  // One connection, which is open already.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () => socket;
  const body = one.body === undefined ? undefined : Buffer.from(json(one.body));
  const headers =
    body === undefined
      ? { accept: '*/*' }
      : {
          'content-type': 'application/json',
          'content-length': body.length,
          accept: 'application/json, text/event-stream',
        };
  const before = process.cpuUsage();
  for (let i = 0; i < requests; i += 1) {
    const asked = request({
      agent,
      host,
      port,
      path: one.path,
      method: body === undefined ? 'GET' : 'POST',
      headers,
    });
    asked.end(body);
    const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
    // A denial in the words of its protocol has the status of success.
    if (response.statusCode !== 200 || response.headers['x-deny-reason'] !== undefined)
      throw new Error(`${one.name}: status ${response.statusCode}`);
    await once(response.resume(), 'end');
  }
  const { user, system } = process.cpuUsage(before);
  agent.destroy();
  socket.destroy();
  return (user + system) / requests;
}

/** `bench/exchange-cost.ts` of another commit and of this one, in turns: requests whose rule has nothing of this. */
function beside(commit: string, { rounds }: Options): string {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'upstreamproxy-before-'));
  const git = (...args: readonly string[]): void => {
    const { status, stderr } = spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  };
  try {
    git('worktree', 'add', '--quiet', '--detach', join(folder, 'old'), commit);
    symlinkSync(join(root, 'node_modules'), join(folder, 'old', 'node_modules'));
    const [old, own]: number[][] = [[], []];
    for (let round = 0; round < Math.max(3, Math.ceil(rounds / 3)); round += 1) {
      old?.push(exchangeCost(join(folder, 'old')));
      own?.push(exchangeCost(root));
    }
    const pairs = (own ?? []).map((us, i) => us - (old?.[i] ?? Number.NaN));
    const shown = (list: readonly number[]): string => median(list).toFixed(1);
    return `With nothing of this in a rule, main thread for an exchange (\`bench/exchange-cost.ts\`, quietest windows): ${shown(old ?? [])} µs at ${commit.slice(0, 8)}, ${shown(own ?? [])} µs now; ${shown(pairs)} µs more, paired, the median of ${String(pairs.length)} pairs (${Math.min(...pairs).toFixed(1)} to ${Math.max(...pairs).toFixed(1)}).`;
  } finally {
    spawnSync('git', ['-C', root, 'worktree', 'remove', '--force', join(folder, 'old')]);
    rmSync(folder, { recursive: true, force: true });
  }
}

function exchangeCost(root: string): number {
  const script = join(root, 'bench', 'exchange-cost.ts');
  const args = ['--disable-warning=ExperimentalWarning', script, '--windows', '120'];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  const [, us] = /main thread.*quarter ([\d.]+)/.exec(stdout) ?? [];
  if (status !== 0 || us === undefined) throw new Error(`${script}: ${stderr}`);
  return Number(us);
}
