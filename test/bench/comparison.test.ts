import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { aims } from '../../bench/aims.ts';
import { aimFigure, aimTable, cpuTable, rateTable } from '../../bench/comparison.ts';
import type { ContenderRounds, Row } from '../../bench/comparison.ts';

function contender(
  name: string,
  rounds: readonly Row[],
  quiet: Readonly<Record<string, number>> = {},
): ContenderRounds {
  const windows = new Map(
    Object.entries(quiet).map(([key, cost]) => [key, Array.from({ length: 8 }, () => ({ cost, count: 1 }))]),
  );
  return { name, rounds, windows };
}

const squid = contender(
  'squid',
  [
    { 'req/s n=16': 100, 'CPU request n=16 squid': 90 },
    { 'req/s n=16': 200, 'CPU request n=16 squid': 110 },
  ],
  { 'request n=16 squid': 80e-6 },
);
const ours = contender(
  'upstreamproxy',
  [
    { 'req/s n=16': 110, 'CPU request n=16 agent': 30, 'CPU request n=16 gateway': 60 },
    { 'req/s n=16': 180, 'CPU request n=16 agent': 30, 'CPU request n=16 gateway': 70 },
  ],
  { 'request n=16 gateway': 48e-6, 'request n=16 agent': 25e-6 },
);

function figure(name: string, peer: ContenderRounds | undefined = squid): number | undefined {
  const aim = aims.find((each) => each.name.startsWith(name));
  assert.ok(aim);
  return aimFigure(aim, ours, peer)?.value;
}

describe('the comparison', () => {
  it('its ratios are paired, and CPU is not among the rates', () => {
    const text = rateTable([squid, ours]);
    assert.match(text, /^\| req\/s n=16 \| 150 \| 145 \| 1\.00 \(0\.90–1\.10\) \|$/m);
    assert.doesNotMatch(text, /CPU/);
  });

  it('a variant stands beside the first of ours too', () => {
    const [header = ''] = rateTable([squid, ours, { ...ours, name: 'bun-agent' }]).split('\n');
    assert.match(header, /upstreamproxy \/ squid \| bun-agent \/ squid \| bun-agent \/ upstreamproxy \|$/);
  });

  it('CPU stands by role, the whole phase and the quietest windows', () => {
    const text = cpuTable([squid, ours]);
    assert.match(text, /^\| CPU of \| squid \| upstreamproxy: agent \| upstreamproxy: gateway \|$/m);
    assert.match(text, /^\| request n=16, µs \| 100 \/ 80\.0 \| 30\.0 \/ 25\.0 \| 65\.0 \/ 48\.0 \|$/m);
  });

  it('aims take CPU from the quietest windows, for squid too', () => {
    assert.ok(Math.abs((figure('gateway CPU of a request') ?? 0) - 48) < 1e-9);
    assert.ok(Math.abs((figure('the same, beside squid') ?? 0) - 0.6) < 1e-9);
    assert.equal(figure('requests/s, n = 16'), 1);
  });

  it('without squid its ratios are not measured', () => {
    const text = aimTable([ours]);
    assert.match(
      text,
      /^\| requests\/s, n = 16, beside squid \| ≥ 0\.9 × \| ≥ 1\.1 × \| –: not measured \|$/m,
    );
    assert.match(text, /^\| gateway CPU of a request, n = 16 \| ≤ 50 µs \| ≤ 40 µs \| 48\.0: must met \|$/m);
  });

  it('a run too short for windows falls back to its phases', () => {
    const short = { ...ours, windows: new Map() };
    const aim = aims.find((each) => each.name.startsWith('gateway CPU of a request'));
    assert.ok(aim);
    assert.equal(aimFigure(aim, short, undefined)?.value, 65);
  });
});
