// How costs grow with what is there: idle streams, sessions, rules, rows of the audit, processes.

import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { seriesText } from './growth.ts';
import type { Series } from './growth.ts';
import { loadNow, machineLine } from './report/machine.ts';
import { renderPlot } from './report/plot.ts';
import { saveSection } from './report/saved-section.ts';
import { openScene } from './scene.ts';
import type { Scene } from './scene.ts';
import { scaleAudit } from './scale/audit.ts';
import { scaleIdle } from './scale/idle.ts';
import { scaleRules } from './scale/rules.ts';
import { scaleSessions } from './scale/sessions.ts';
import { scaleWorkers } from './scale/workers.ts';

const plotFile = fileURLToPath(new URL('../docs/images/performance-scale.svg', import.meta.url));

/** Of all parts together, after which none begins, and of the rounds of idle streams. */
const budgetMs = { all: 12 * 60_000, idle: 4 * 60_000 } as const;

interface Sizes {
  readonly phaseMs: number;
  readonly idle: readonly number[];
  readonly idleRounds: number;
  readonly sessions: readonly number[];
  readonly rules: readonly number[];
  readonly audit: readonly number[];
  readonly workers: readonly number[];
}

const full: Sizes = {
  phaseMs: 2500,
  idle: [100, 1000, 4000, 10_000],
  idleRounds: 6,
  sessions: [1, 10, 100, 500],
  rules: [10, 100, 1000, 5000],
  audit: [10_000, 100_000, 1_000_000],
  workers: [1, 2],
};
const quick: Sizes = {
  phaseMs: 300,
  idle: [20, 100],
  idleRounds: 2,
  sessions: [1, 4],
  rules: [10, 200],
  audit: [1000, 5000],
  workers: [1, 2],
};

/** Each gives a series, or why it can't be had here. */
const parts: Record<string, (scene: Scene, sizes: Sizes) => Promise<Series | string>> = {
  idle: (scene, { idle, idleRounds, phaseMs }) =>
    scaleIdle(scene, { sizes: idle, rounds: idleRounds, phaseMs, budgetMs: budgetMs.idle }),
  sessions: (scene, { sessions, phaseMs }) => scaleSessions(scene, { sizes: sessions, phaseMs }),
  rules: (scene, { rules, phaseMs }) => scaleRules(scene, { sizes: rules, phaseMs }),
  audit: (scene, { audit, phaseMs }) => scaleAudit(scene, { sizes: audit, phaseMs }),
  workers: (scene, { workers, phaseMs }) => scaleWorkers(scene, { sizes: workers, phaseMs }),
};

/** Runs the series that `--only` names, all by default, and prints them; `--save` writes tables and plot. */
export async function benchScale(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: Object.keys(parts).join(',') },
      rounds: { type: 'string' },
      json: { type: 'string' },
      plot: { type: 'string' },
      save: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
    },
  });
  const names = values.only.split(',');
  const unknown = names.filter((name) => parts[name] === undefined);
  if (unknown.length > 0)
    throw new Error(`--only: ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`);
  const set = values.quick ? quick : full;
  const sizes = values.rounds === undefined ? set : { ...set, idleRounds: Number(values.rounds) };
  const loadAtStart = loadNow();
  const startMs = performance.now();
  const found: Series[] = [];
  const texts: string[] = [];
  for (const name of names) {
    if (performance.now() - startMs > budgetMs.all) {
      texts.push(`${name}: not measured, the time was over; --only ${name} takes it alone.`);
      continue;
    }
    await using scene = await openScene();
    const series = await parts[name]?.(scene, sizes);
    if (series === undefined) continue;
    if (typeof series === 'string') {
      console.error(`${name}: left out, ${series}`);
      texts.push(`${name}: not measured, ${series}.`);
    } else {
      found.push(series);
      texts.push(seriesText(series));
    }
  }
  const minutes = ((performance.now() - startMs) / 60_000).toFixed(1);
  const kind = values.quick ? ['a quick run that says nothing of speed'] : [];
  const machine = machineLine(loadAtStart, [...kind, `${minutes} minutes`]);
  const text = [`${machine}.`, ...texts].join('\n\n');
  console.log(text);
  const svg = renderPlot(found);
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ machine, series: found }, undefined, 2)}\n`);
  if (values.plot !== undefined) await writeFile(values.plot, svg);
  if (!values.save) return;
  await writeFile(plotFile, svg);
  await saveSection(
    'scale',
    `![How costs grow with what is there](../images/performance-scale.svg)\n\n${text}`,
  );
}
