// The chart without Helm: what of it is made from other files is what those make, and its values are what the reference says. `npm run
// test:chart` has the rest.

import assert from 'node:assert/strict';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { chartFiles, chartValues } from '../../scripts/chart-files.ts';
import { assertDocsTable, markdownTable } from '../protocol/docs-table.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const chart = join(root, 'deploy/chart');
const read = (file: string): string => readFileSync(join(chart, file), 'utf8');
const values = chartValues(read('values.yaml'));

describe('a file of the chart is made from', () => {
  for (const [file, text] of chartFiles(root))
    test(file, () => {
      if (process.env['UPDATE_CHART'] === '1') {
        mkdirSync(dirname(join(chart, file)), { recursive: true });
        writeFileSync(join(chart, file), text);
      }
      // Not shown whole: it is long.
      assert.ok(read(file) === text, 'write it anew: UPDATE_CHART=1 node --test test/deploy/chart.test.ts');
    });
});

test('the reference has every value with its default and its meaning', () => {
  const rows = values.map(({ path, description, value }) => {
    const isEmpty = value === '' || JSON.stringify(value) === '{}' || JSON.stringify(value) === '[]';
    const shown = isEmpty ? 'none' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
    return [`\`${path}\``, shown, description];
  });
  assert.ok(rows.length > 80, `${rows.length} values`);
  assertDocsTable('chart.md', 'chart', markdownTable(['value', 'default', 'meaning'], rows));
});

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly required?: readonly string[];
}

test('the schema has every value of values.yaml, no other, and each is required, so that a null is no value', () => {
  const compare = (schema: Schema, node: Readonly<Record<string, unknown>>, path: string): void => {
    const known = Object.keys(schema.properties ?? {}).filter((key) => key !== 'global');
    assert.deepEqual(known.toSorted(), Object.keys(node).toSorted(), path);
    assert.equal(schema.additionalProperties, false, path);
    for (const [key, value] of Object.entries(node)) {
      const below = schema.properties?.[key];
      assert.ok(
        schema.required?.includes(key) === true || path === 'resources',
        `${path}.${key} is required`,
      );
      const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
      // What is free in its keys, and what the gateway's schema describes.
      if (!isMap || below?.properties === undefined || key === 'config') continue;
      // A map, as was just seen.
      compare(below, value as Readonly<Record<string, unknown>>, path === '' ? key : `${path}.${key}`);
    }
  };
  const schema = JSON.parse(read('values.schema.json')) as Schema;
  compare(schema, parse(read('values.yaml')) as Readonly<Record<string, unknown>>, '');
});

test('the schema has no regular expression that Helm cannot read', () => {
  const patterns = [...read('values.schema.json').matchAll(/"pattern": ("(?:[^"\\]|\\.)*")/g)].map(
    ([, text = '']) => String(JSON.parse(text)),
  );
  assert.ok(patterns.length > 50);
  // RE2 knows no looking around and no references back.
  for (const pattern of patterns) assert.doesNotMatch(pattern, /\(\?[=!<]|\\[1-9]/);
});

test('the chart is for this version, and Chart.yaml and the templates are valid as far as YAML goes', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const { appVersion, version: own } = parse(read('Chart.yaml')) as { appVersion: string; version: string };
  assert.deepEqual([appVersion, own], [version, version]);
  const templates = globSync('templates/**/*', { cwd: chart }).filter((file) =>
    /\.(?:tpl|yaml|txt)$/.test(file),
  );
  assert.ok(templates.length >= 12, `${templates.length} templates`);
  for (const file of templates) {
    const text = read(file);
    // Each value that a template reads is one that there is.
    for (const [, path = ''] of text.matchAll(/\.Values\.((?:[a-z]\w*\.)*[a-z]\w*)/gi)) {
      const isKnown = values.some((one) => one.path === path || one.path.startsWith(`${path}.`));
      assert.ok(isKnown || path.startsWith('config.'), `${file}: .Values.${path}`);
    }
    assert.doesNotMatch(text, /\btpl\b/, `${file}: a text of the values is never a template`);
  }
});

test('the pods start what the image has, as the user that it has', () => {
  const recipe = readFileSync(join(root, 'deploy/gateway.Dockerfile'), 'utf8');
  const pod = read('templates/_pod.tpl');
  assert.match(recipe, /^USER 10001:10001$/m);
  assert.match(pod, /runAsUser: 10001\n *runAsGroup: 10001/);
  const [, command = ''] = /^CMD (\[.*\])$/m.exec(recipe) ?? [];
  const [, started = ''] = /^ *command: \[(.*)\]$/m.exec(pod) ?? [];
  assert.deepEqual(started.split(', '), JSON.parse(command));
});

test('what a comment describes is found, and a value without one is a fault', () => {
  const text = '# -- One.\na: 1\nb:\n  # -- Two.\n  c:\n    d: x\n  # -- Three.\n  e: []\n';
  assert.deepEqual(
    chartValues(text).map(({ path, value }) => [path, value]),
    [
      ['a', 1],
      ['b.c', { d: 'x' }],
      ['b.e', []],
    ],
  );
  assert.throws(() => chartValues('a: 1\n'), /a has no comment/);
  assert.throws(() => chartValues('a: {}\n'), /a has no comment/);
});
