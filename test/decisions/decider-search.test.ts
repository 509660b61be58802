// Generated policies, requests and verdicts: what goes out is never more than the policy without the decider allows, only a plain `true` lets it, and
// the decider changes what its rule lets it change.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openOpa } from '../support/opa-server.ts';
import { seededBelow } from '../support/seeded.ts';
import { type DeciderScene, openScene } from './decider-scene.ts';

const runs = process.env['DECISIONS_RUNS'] === undefined ? 10 : 400;

interface Asked {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly team: string | undefined;
}

interface World {
  readonly rules?: string;
  readonly ceiling?: (port: number) => string;
  /** The policy without the decider, said once more. */
  readonly allows: (asked: Asked) => boolean;
}

const noRed = `  - { name: no-red, hosts: api.test, deny: No red., when: '"x-team" in request.headers && "red" in request.headers["x-team"]' }\n`;
const noSecret = '  - { name: no-secret, hosts: api.test, paths: /secret, deny: No secrets. }\n';
const isNotRed = ({ team }: Asked): boolean => team !== 'red';
const under = (port: number, keys: string): string =>
  `rules: [{ name: some, hosts: api.test, ports: ${String(port)}, addresses: 127.0.0.0/8${keys} }]\n`;

const worlds: readonly World[] = [
  { allows: () => true },
  { rules: noRed + noSecret, allows: (asked) => isNotRed(asked) && asked.path !== '/secret' },
  {
    rules: noRed,
    ceiling: (port) => under(port, ', methods: GET'),
    allows: (asked) => isNotRed(asked) && asked.method === 'GET',
  },
  {
    // Blue before, by the workload, and blue after, by the decider, whose field it is then.
    ceiling: (port) =>
      under(port, `, when: '"x-team" in request.headers && "blue" in request.headers["x-team"]'`),
    allows: ({ team }) => team === 'blue',
  },
];

class Draw {
  readonly below: (below: number) => number;

  constructor(seed: number) {
    this.below = seededBelow(seed);
  }

  of<One>(...all: readonly One[]): One {
    return all[this.below(all.length)]!;
  }

  /** One time in so many. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }
}

interface Verdict {
  readonly text: string;
  readonly status: number;
  readonly type: string;
  readonly how: 'whole' | 'cut' | 'silent';
  /** What it changes, if it allows; undefined: it allows nothing. */
  readonly change: { readonly team?: string; readonly removesDebug: boolean } | undefined;
}

const permitted = new Set(['x-team', 'x-debug']);

function verdictOf(draw: Draw): Verdict {
  const allow = draw.oneIn(3)
    ? draw.of<unknown>(false, 'true', 'TRUE', 1, 0, null, [], [true], {}, { allow: true }, undefined)
    : true;
  const set: Record<string, unknown> = {};
  if (draw.oneIn(2)) set[draw.of('x-team', 'X-Team')] = draw.of('blue', 'red', 'green');
  if (draw.oneIn(12)) set[draw.of('host', 'authorization', 'x-other', 'content-length', ':path')] = 'a';
  if (draw.oneIn(12)) set['x-team'] = draw.of<unknown>('', ' a', 'a\r\nx-other: b', 1, null, ['a']);
  const remove = draw.oneIn(3) ? [draw.of('x-debug', 'X-DEBUG', 'x-other', 'host')] : [];
  const extra = draw.oneIn(15) ? { [draw.of('Allow', 'path', 'body', 'result')]: true } : {};
  const whole = JSON.stringify({ allow, fields: { set, remove }, ...extra });
  const text = draw.oneIn(15)
    ? `{"allow":true,${whole.slice(1)}`
    : draw.oneIn(20)
      ? whole.slice(0, -1)
      : whole;
  const status = draw.oneIn(20) ? draw.of(201, 403, 500) : 200;
  const type = draw.oneIn(20) ? 'text/plain' : 'application/json';
  const how = draw.oneIn(25) ? 'cut' : draw.oneIn(60) ? 'silent' : 'whole';
  const names = [...Object.keys(set), ...remove].map((name) => name.toLowerCase());
  const values = Object.values(set);
  const isPlain =
    allow === true &&
    text === whole &&
    Object.keys(extra).length === 0 &&
    status === 200 &&
    type === 'application/json' &&
    how === 'whole' &&
    names.every((name) => permitted.has(name)) &&
    new Set(names).size === names.length &&
    values.every((value) => ['blue', 'red', 'green'].includes(value as string));
  const [team] = values as readonly string[];
  const change = { ...(team === undefined ? {} : { team }), removesDebug: remove.length > 0 };
  return { text, status, type, how, change: isPlain ? change : undefined };
}

interface Sent extends Asked {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const bodyBytesMax = 500;

function requestOf(draw: Draw): Sent {
  const method = draw.of('GET', 'POST');
  const team = draw.of(undefined, 'blue', 'red', 'green');
  const body = method === 'GET' ? undefined : draw.of('{"a":1}', '{"a":1,"a":2}', 'text', 'a'.repeat(600));
  const headers = {
    'x-debug': '1',
    'x-other': '2',
    ...(team === undefined ? {} : { 'x-team': team }),
    ...(body === undefined ? {} : { 'content-type': draw.of('application/json', 'text/plain') }),
  };
  return { method, path: draw.of('/a', '/secret'), team, headers, body };
}

/** The team that goes out; false: nothing does. */
function expected({ allows }: World, asked: Sent, { change }: Verdict): string | undefined | false {
  // What the workload says of it is taken out.
  const after = { ...asked, team: change?.team };
  const isLong = (asked.body?.length ?? 0) > bodyBytesMax;
  return change !== undefined && !isLong && allows(asked) && allows(after) ? after.team : false;
}

async function check(scene: DeciderScene, world: World, asked: Sent, verdict: Verdict): Promise<void> {
  const before = scene.got.length;
  const { method, path: target, headers, body } = asked;
  const response = await scene.send({ method, target, headers, ...(body === undefined ? {} : { body }) });
  const team = expected(world, asked, verdict);
  assert.equal(response.status === 200, team !== false, response.body);
  assert.equal(scene.got.length - before, team === false ? 0 : 1);
  if (team === false) return;
  const got = scene.got.at(-1)!;
  assert.deepEqual([got.method, got.url, got.body], [method, target, body ?? '']);
  assert.equal(got.headers['x-team'], team);
  assert.equal(got.headers['x-other'], '2');
  assert.equal(got.headers['x-debug'], verdict.change?.removesDebug === true ? undefined : '1');
  assert.equal(got.headers.authorization, undefined);
}

test('whatever a decider says, no more goes out than the policy allows without it, and nothing without its plain true', async () => {
  let verdict: Verdict | undefined;
  await using hook = await openOpa({
    documents: {},
    instead: (_request, response) => {
      if (verdict === undefined || verdict.how === 'silent') return;
      const { text, type, status, how } = verdict;
      const length = Buffer.byteLength(text);
      response.writeHead(status, { 'content-type': type, 'content-length': length });
      if (how === 'whole') response.end(text);
      else response.write(text.slice(0, length - 1), () => response.destroy());
    },
  });
  let allowed = 0;
  for (const [number, world] of worlds.entries()) {
    const opened = (timeoutMs: number): Promise<DeciderScene> =>
      openScene({
        settings: { judge: { kind: 'webhook', url: hook.url('x'), ca: [] } },
        decide: `{ by: judge, timeoutMs: ${String(timeoutMs)}, mayAdd: x-team, mayRemove: x-debug }`,
        limits: { deciderBodyBytesMax: bodyBytesMax },
        ...(world.rules === undefined ? {} : { rules: world.rules }),
        ...(world.ceiling === undefined ? {} : { ceiling: world.ceiling }),
      });
    await using patient = await opened(60_000);
    await using hasty = await opened(30);
    for (let run = 0; run < runs; run += 1) {
      const draw = new Draw(number * 100_000 + run);
      const asked = requestOf(draw);
      verdict = verdictOf(draw);
      if (expected(world, asked, verdict) !== false) allowed += 1;
      try {
        await check(verdict.how === 'silent' ? hasty : patient, world, asked, verdict);
      } catch (error) {
        throw new Error(`world ${number}, run ${run}: ${JSON.stringify([asked, verdict])}`, { cause: error });
      }
    }
  }
  // Neither side is empty.
  assert.ok(allowed > runs / 4 && allowed < runs * 3, String(allowed));
});
