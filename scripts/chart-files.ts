// The files of the chart that are made from others, and the table of its values. `UPDATE_CHART=1 node --test test/deploy/chart.test.ts` writes
// the files anew.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { chartSchema } from './chart-schema.ts';

/** A value of values.yaml, with what its comment says. */
export interface ChartValue {
  readonly path: string;
  readonly description: string;
  readonly value: unknown;
}

/** The values that a comment with `--` describes, in their order. Throws for a value that none describes. */
export function chartValues(text: string): readonly ChartValue[] {
  const found: ChartValue[] = [];
  const above: { readonly indent: number; readonly key: string; readonly isDescribed: boolean }[] = [];
  const document: unknown = parse(text);
  let comment = '';
  for (const line of text.split('\n')) {
    const [, said] = /^ *# -- (.*)$/.exec(line) ?? [];
    if (said !== undefined) {
      comment = said;
      continue;
    }
    const [, spaces = '', key] = /^( *)([A-Za-z]\w*):/.exec(line) ?? [];
    if (key === undefined) continue;
    const indent = spaces.length;
    while ((above.at(-1)?.indent ?? -1) >= indent) above.pop();
    // Below a value that is described whole stands a part of its default.
    if (!above.some(({ isDescribed }) => isDescribed)) {
      const path = [...above.map((one) => one.key), key].join('.');
      const value = valueAt(document, path);
      const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (comment !== '') found.push({ path, description: comment, value });
      else if (!isMap || Object.keys(value).length === 0)
        throw new Error(`values.yaml: ${path} has no comment`);
    }
    above.push({ indent, key, isDescribed: comment !== '' });
    comment = '';
  }
  return found;
}

function valueAt(document: unknown, path: string): unknown {
  // A map at each step, for the path comes from the text of the document.
  return path.split('.').reduce((node, key) => (node as Record<string, unknown>)[key], document);
}

/** Path below deploy/chart and text of each file that is made. */
export function chartFiles(root: string): ReadonlyMap<string, string> {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8');
  const descriptions = new Map(
    chartValues(read('deploy/chart/values.yaml')).map(({ path, description }) => [path, description]),
  );
  // A file of ours.
  const gateway = JSON.parse(read('schema/gateway.schema.json')) as Readonly<Record<string, unknown>>;
  return new Map([
    ['values.schema.json', `${JSON.stringify(chartSchema(gateway, descriptions), null, 2)}\n`],
    ['files/prometheus-rules.yaml', read('deploy/prometheus-rules.yaml')],
    ['files/grafana-dashboard.json', read('deploy/grafana-dashboard.json')],
  ]);
}
