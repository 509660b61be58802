// `upstreamproxy explain`: an error code or a limit in words.

import { type ErrorCode, errorTable } from '../../protocol/error-table.ts';
import { type LimitName, limitTable } from '../../protocol/limits.ts';
import type { LimitRow } from '../../protocol/limits/limit-row.ts';
import { explainDefinition } from '../commands/explain-definition.ts';
import { commandOf } from '../terminal/command.ts';
import { wrapped } from '../definition/wrapped-text.ts';
import { errorLink } from '../terminal/document-link.ts';
import { painted, standardOutput } from '../terminal/terminal-stream.ts';
import { jsonLine } from '../terminal/text-table.ts';
import { errorAdvice } from '../../protocol/error-advice.ts';

/** What is known of one name, in the order in which it is shown. */
type Explained = Readonly<Record<string, string | number | boolean>>;

const names = new Set<string>(Object.keys(errorTable));

export const explainCommand = commandOf(explainDefinition, async ({ arguments: { NAME }, options }) => {
  // The parser takes names of the two tables alone.
  const isError = names.has(NAME);
  const explained = isError ? ofError(NAME as ErrorCode) : ofLimit(NAME as LimitName);
  process.stdout.write(options.json ? jsonLine(explained) : textOf(explained));
  return 0;
});

function ofError(name: ErrorCode): Explained {
  const { meaning, http, exit, wire, isDenial } = errorTable[name];
  return {
    name,
    kind: 'error',
    meaning,
    next: errorAdvice[name],
    httpStatus: http,
    exitCode: exit,
    wireNumber: wire,
    verdict: isDenial ? 'deny' : 'error',
    document: `docs/reference/errors.md#${name}`,
  };
}

function ofLimit(name: LimitName): Explained {
  const { value, code, reason, isFixed }: LimitRow = limitTable[name];
  const next =
    isFixed === true
      ? 'You cannot change it: stay below it.'
      : `An operator can set it in the configuration of the gateway, as \`limits: { ${name}: … }\`.`;
  return {
    name,
    kind: 'limit',
    meaning: reason,
    next,
    value,
    unit: unitOf(name),
    error: code,
    document: 'docs/reference/limits.md',
  };
}

const units: readonly (readonly [end: RegExp, unit: string])[] = [
  [/PerSecond(?:Max)?$/, 'a second'],
  [/Bytes(?:Max|Min)?$/, 'bytes'],
  [/Ms(?:Max|Min|Initial)?$/, 'milliseconds'],
  [/Seconds(?:Max)?$/, 'seconds'],
];

/** What the name of a limit ends with; nothing for one that counts things. */
function unitOf(name: string): string {
  return units.find(([end]) => end.test(name))?.[1] ?? '';
}

const titles: Readonly<Record<string, string>> = {
  httpStatus: 'HTTP status',
  exitCode: 'exit code',
  wireNumber: 'number on the wire',
  verdict: 'verdict in the audit',
  value: 'default',
  error: 'error',
  document: 'more',
};

function textOf({ name, meaning, next, unit, ...facts }: Explained): string {
  const stream = standardOutput();
  const rows = Object.entries(facts).flatMap(([key, value]) => {
    const title = titles[key];
    const text = key === 'value' ? `${value} ${unit}`.trim() : String(value);
    // Of a limit `error` is the code, of an error `name` is.
    const code =
      key === 'error' ? text : key === 'document' && names.has(String(name)) ? String(name) : undefined;
    const shown = code === undefined ? text : errorLink(stream, code as ErrorCode, text);
    return title === undefined ? [] : [`  ${title.padEnd(22)}${shown}\n`];
  });
  return `${painted(stream, 'heading', String(name))}\n\n${wrapped(String(meaning), 0)}\n${wrapped(`What to do: ${next}`, 0)}\n${rows.join('')}`;
}
