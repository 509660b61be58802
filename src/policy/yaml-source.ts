// YAML text to a checked value, with every problem at its line. Used for policies and for the gateway's configuration.

import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
} from 'yaml';
import { z } from 'zod';
import { defaultLimits } from '../protocol/limits.ts';
import { unknownKeyMessage } from './nearest-key.ts';
import type { Place, PolicyProblem } from './problem.ts';

/** A file's name, as it shall be shown, and its text. */
export interface YamlSource {
  readonly file: string;
  readonly text: string;
}

export type YamlPath = readonly PropertyKey[];

/** Reports a problem at a path below the rule. */
export type Report = (path: YamlPath, message: string, severity?: 'error' | 'warning') => void;

/** The place of the value at a path, or of its key; the nearest parent's if the path leads to nothing. */
export type Locate = (path: YamlPath, on?: 'key' | 'value') => Place;

/** A value that follows its schema, or what is wrong with the text. */
export type YamlResult<T> =
  | { readonly value: T; readonly locate: Locate }
  | { readonly problems: readonly PolicyProblem[] };

/** Nothing that people write is deeper; recursion over a document is bounded by it. */
const depthMax = 32;
/** More than this helps nobody, and a hostile text could make thousands. */
const problemsMax = 100;

/**
 * A map with exactly these keys. An unknown key is reported one by one, with the key that was meant, or with what `refused`
 * says of it.
 */
export function strictMap<S extends z.ZodRawShape>(
  shape: S,
  options: {
    readonly hint: string;
    readonly synonyms?: Readonly<Record<string, string>>;
    readonly refused?: ReadonlyMap<string, string | ((value: unknown) => string | undefined)>;
  },
): z.ZodObject<S, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys
            .map((key) => {
              const refused = options.refused?.get(key);
              const said = typeof refused === 'function' ? refused(valueAt(issue.input, [key])) : refused;
              return said ?? unknownKeyMessage(key, Object.keys(shape), options.synonyms);
            })
            .join('\n')
        : options.hint,
  });
}

/**
 * Parses one YAML document, bounded in size and depth, and checks it. Never throws on bad input. `showText` lets
 * messages quote the text of values: not for files in which a secret may stand by mistake.
 */
export function readYaml<T>(
  source: YamlSource,
  schema: z.ZodType<T>,
  options: { readonly showText?: boolean } = {},
): YamlResult<T> {
  const counter = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const fail = (found: readonly { place: Place; message: string }[]): YamlResult<T> => ({
    problems: found.slice(0, problemsMax).map(({ place: { line, column }, message }) => ({
      file: source.file,
      line,
      column,
      message,
      severity: 'error',
    })),
  });
  const start: Place = { line: 1, column: 1 };
  if (source.text.length > defaultLimits.policyBytesMax) {
    const message = `the file is longer than ${defaultLimits.policyBytesMax} bytes; split it into several files`;
    return fail([{ place: start, message }]);
  }
  let document: Document.Parsed;
  try {
    document = parseDocument(source.text, { lineCounter: counter, prettyErrors: false, version: '1.2' });
  } catch {
    return fail([{ place: start, message: 'the file cannot be read as YAML: it is nested too deeply' }]);
  }
  const messageAt = (offset: number, given: string): string =>
    given === aliasMessage ? (unquotedStar(source.text, offset, options.showText) ?? given) : given;
  const syntax = [...document.errors, ...document.warnings].map((error) => ({
    place: placeAt(error.pos[0]),
    message: messageAt(error.pos[0], syntaxMessage(error.code, error.message)),
  }));
  if (syntax.length > 0) return fail(syntax);
  const unwanted = unwantedNodes(document).map(({ offset, message }) => ({
    place: placeAt(offset),
    message: messageAt(offset, message),
  }));
  if (unwanted.length > 0) return fail(unwanted);

  const locate: Locate = (path, on = 'value') => placeAt(offsetOf(document, path, on));
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  const checked = schema.safeParse(value);
  if (checked.success) return { value: checked.data, locate };
  const findings = checked.error.issues.flatMap((issue) =>
    findingsOf(issue, { root: value, showText: options.showText === true }),
  );
  return fail(findings.map(({ path, on, message }) => ({ place: locate(path, on), message })));
}

const aliasMessage =
  'YAML aliases (*name) are not supported; name hosts once under "groups" and use "include"';

/** A wildcard whose quotes were forgotten looks like an alias, and is one only where its anchor stands. */
function unquotedStar(text: string, offset: number, showText = false): string | undefined {
  const written = /^\*[^\s,\]}#]*/.exec(text.slice(offset, offset + 80))?.[0];
  if (written === undefined || (written !== '*' && text.includes(`&${written.slice(1)}`))) return undefined;
  const shown = showText ? `: ${JSON.stringify(written)}` : '';
  return `YAML reads a * without quotes as the name of an alias; write it in quotes${shown}`;
}

function syntaxMessage(code: string, message: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'the same key stands twice in this map; keep one of them';
    case 'TAB_AS_INDENT':
      return 'a tab is used as indentation; use spaces';
    case 'MULTIPLE_DOCS':
      return 'the file holds several YAML documents; write one document a file, without "---" between';
    case 'TAG_RESOLVE_FAILED':
      return 'YAML tags (!name) have no meaning here; write plain text, numbers, lists and maps';
    case 'BAD_ALIAS':
      return aliasMessage;
    default:
      return `not valid YAML: ${message}`;
  }
}

/** Aliases could make a small file large, tags could make other types, and depth could exhaust the stack. */
function unwantedNodes(document: Document.Parsed): { offset: number; message: string }[] {
  const found: { offset: number; message: string }[] = [];
  visit(document, (_key, node, path) => {
    const offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
    if (path.length > depthMax * 2) {
      found.push({ offset, message: `nested more than ${depthMax} levels deep; write it flatter` });
      return visit.BREAK;
    }
    if (isAlias(node)) found.push({ offset, message: syntaxMessage('BAD_ALIAS', '') });
    if (isPair(node) && !(isScalar(node.key) && typeof node.key.value === 'string')) {
      const keyOffset = isNode(node.key) ? (node.key.range?.[0] ?? 0) : offset;
      found.push({ offset: keyOffset, message: 'a key must be text; put it in quotes' });
    }
    return undefined;
  });
  return found;
}

function offsetOf(document: Document.Parsed, path: YamlPath, on: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const [depth, step] of path.entries()) {
    const isLast = depth === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      if (pair === undefined) return offset;
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
      if (isLast && on === 'key') return offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
    } else {
      return offset;
    }
    if (isNode(node)) offset = node.range?.[0] ?? offset;
  }
  return offset;
}

interface Finding {
  readonly path: YamlPath;
  readonly on: 'key' | 'value';
  readonly message: string;
}

/** The checked value, and whether its text may be quoted. */
interface Input {
  readonly root: unknown;
  readonly showText: boolean;
}

/** Issues of the schema in the words of a person: what stands there, and what should. */
function findingsOf(issue: z.core.$ZodIssue, input: Input, prefix: YamlPath = []): Finding[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split('\n');
    return issue.keys.map((key, i) => ({
      path: [...path, key],
      on: 'key',
      message: messages[i] ?? issue.message,
    }));
  }
  if (issue.code === 'invalid_union') {
    // The alternative that got furthest is the one that was meant.
    const depth = (branch: readonly z.core.$ZodIssue[]): number =>
      Math.max(0, ...branch.map((inner) => (inner.code === 'unrecognized_keys' ? 1 : inner.path.length)));
    const meant = issue.errors.toSorted((a, b) => depth(b) - depth(a))[0] ?? [];
    if (depth(meant) > 0) return meant.flatMap((inner) => findingsOf(inner, input, path));
  }
  const name = path.length === 0 ? 'the document' : `"${printPath(path)}"`;
  const given = valueAt(input.root, path);
  if (given === undefined) return [{ path, on: 'value', message: `${name} is missing; ${issue.message}` }];
  // A document of one text is no policy but another file, such as one with a token.
  const showText = input.showText && path.length > 0;
  return [{ path, on: 'value', message: `${name} is ${describeValue(given, showText)}; ${issue.message}` }];
}

function valueAt(root: unknown, path: YamlPath): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    // Own property of an object, checked above.
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

/** `rules[2].hosts[0]` */
export function printPath(path: YamlPath): string {
  return path
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${String(step)}`))
    .join('');
}

/** What kind of value it is. */
function describeValue(value: unknown, showText: boolean): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  switch (typeof value) {
    case 'string':
      if (value === '') return 'empty text';
      return showText ? JSON.stringify(value.slice(0, 80)) : 'text that does not fit';
    case 'number':
    case 'boolean':
      return String(value);
    default:
      return 'a map';
  }
}
