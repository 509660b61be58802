// What can stand at a place of a policy file, by its JSON Schema. The file is being written, so it is read by its lines and their
// indentation, not as YAML that is whole.

/** As much of a JSON Schema as the policy's has. */
export interface SchemaNode {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly anyOf?: readonly SchemaNode[];
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
}

export interface WrittenLines {
  readonly count: number;
  /** From 0. */
  readonly line: (at: number) => string;
}

export interface Suggestion {
  readonly label: string;
  readonly what: 'key' | 'value';
  readonly info: string | undefined;
  /** What takes the place of the word; it ends where the cursor goes. */
  readonly text: string;
}

export interface Suggested {
  /** Column at which the word begins that is being written. */
  readonly from: number;
  readonly items: readonly Suggestion[];
}

export interface Completed {
  readonly schema: SchemaNode;
  readonly lines: WrittenLines;
  readonly row: number;
  readonly column: number;
  /** Values that no schema knows, by their key. */
  readonly names?: Readonly<Record<string, readonly string[]>>;
}

/** So far up and down: a keystroke costs the same however long the file is. */
const linesLookedAt = 2_000;

/** A key of a map, or `[]` for an item of a list. */
type Step = string;
const item: Step = '[]';

export function suggestAt(asked: Completed): Suggested | undefined {
  const { lines, row, column, schema } = asked;
  const before = lines.line(row).slice(0, column);
  const { dashes, at, rest } = partsOf(before);
  const value = keyPattern.exec(rest);
  if (value !== null) {
    const [, key = '', space = '', text = ''] = value;
    // Right behind the colon nothing can stand.
    if (space === '') return undefined;
    const path = [...pathTo(lines, row, { dashes, at }), key];
    return inValue(asked, { path, text, column });
  }
  if (/^[[{]/.test(rest))
    return inValue(asked, { path: pathTo(lines, row, { dashes, at }), text: rest, column });
  if (!wordPattern.test(rest)) return undefined;
  const nodes = nodesAt(schema, pathTo(lines, row, { dashes, at }));
  const taken = siblingsOf(lines, row, { dashes, at });
  const keys = keysOf(schema, nodes, { taken, indent: at });
  const values =
    dashes.length === 0 ? [] : valuesOf(schema, nodes, namesFor(asked, pathTo(lines, row, { dashes, at })));
  return suggested(at, [...keys, ...values]);
}

const keyPattern = /^([A-Za-z][\w-]*):( *)(.*)$/;
const wordPattern = /^[\w.-]*$/;

function suggested(from: number, items: readonly Suggestion[]): Suggested | undefined {
  return items.length === 0 ? undefined : { from, items };
}

interface LineParts {
  /** Columns of the dashes that begin items of lists. */
  readonly dashes: readonly number[];
  /** Column at which what follows them begins. */
  readonly at: number;
  readonly rest: string;
}

function partsOf(line: string): LineParts {
  const dashes: number[] = [];
  let at = spacesFrom(line, 0);
  while (line[at] === '-' && line[at + 1] === ' ') {
    dashes.push(at);
    at = spacesFrom(line, at + 1);
  }
  return { dashes, at, rest: line.slice(at) };
}

function spacesFrom(line: string, start: number): number {
  let at = start;
  while (line[at] === ' ') at += 1;
  return at;
}

type Place = Pick<LineParts, 'dashes' | 'at'>;

/** The way from the top of the file to the map, or to the item, that the place is in. */
function pathTo(lines: WrittenLines, row: number, place: Place): readonly Step[] {
  const steps: Step[] = [];
  let column = place.at;
  /** The key that holds a list may stand in the column of its dashes. */
  let isItem = false;
  const enter = (dashes: readonly number[]): void => {
    for (const dash of dashes.toReversed().filter((one) => one < column)) {
      steps.push(item);
      column = dash;
      isItem = true;
    }
  };
  enter(place.dashes);
  for (let up = row - 1; up >= 0 && row - up <= linesLookedAt && (column > 0 || isItem); up -= 1) {
    const { dashes, at, rest } = partsOf(lines.line(up));
    if (rest === '' || rest.startsWith('#')) continue;
    const opened = openedKey(rest);
    if (opened !== undefined && (at < column || (isItem && at === column && dashes.length === 0))) {
      steps.push(opened);
      column = at;
      isItem = false;
      enter(dashes);
    } else if (at === column && dashes.length > 0) {
      enter(dashes);
    } else if (at < column && dashes.length === 0 && !isItem) {
      // Text that goes on over lines, or what no schema knows.
      column = at;
    }
  }
  return steps.toReversed();
}

/** The key of a line that says no value: what follows is inside. */
function openedKey(rest: string): string | undefined {
  const [, key, , value = ''] = keyPattern.exec(rest) ?? [];
  return value === '' || value.startsWith('#') ? key : undefined;
}

/** Keys that the map of this place has already. */
function siblingsOf(lines: WrittenLines, row: number, place: Place): ReadonlySet<string> {
  const found = new Set<string>();
  const look = (start: number, step: 1 | -1): void => {
    for (let i = start; i >= 0 && i < lines.count && Math.abs(i - row) <= linesLookedAt; i += step) {
      const { dashes, at, rest } = partsOf(lines.line(i));
      if (rest === '' || rest.startsWith('#')) continue;
      const begins = dashes.length > 0 && at === place.at;
      if (at < place.at || (step > 0 && begins)) return;
      const key = at === place.at ? keyPattern.exec(rest)?.[1] : undefined;
      if (key !== undefined) found.add(key);
      if (begins || (dashes[0] ?? place.at) < place.at) return;
    }
  };
  if (place.dashes.length === 0) look(row - 1, -1);
  look(row + 1, 1);
  return found;
}

interface InValue {
  readonly path: readonly Step[];
  /** What stands of the value before the cursor. */
  readonly text: string;
  readonly column: number;
}

/** Within a value on the line of its key, `[a, b` and `{ a: b` too. */
function inValue(asked: Completed, { path, text, column }: InValue): Suggested | undefined {
  const flow = flowAt(text);
  if (flow === undefined) return undefined;
  const { schema } = asked;
  const inner = [...path, ...flow.steps];
  const nodes = nodesAt(schema, inner);
  const from = column - flow.word.length;
  if (flow.isKey) return suggested(from, keysOf(schema, nodes, { taken: flow.taken, indent: undefined }));
  return suggested(from, valuesOf(schema, nodes, namesFor(asked, inner)));
}

function namesFor({ names = {} }: Completed, path: readonly Step[]): readonly string[] {
  const key = path.findLast((step) => step !== item);
  return key === undefined || !Object.hasOwn(names, key) ? [] : (names[key] ?? []);
}

interface Flow {
  readonly steps: readonly Step[];
  readonly word: string;
  readonly isKey: boolean;
  readonly taken: ReadonlySet<string>;
}

interface OpenFlow {
  readonly isMap: boolean;
  key: string | undefined;
  readonly taken: Set<string>;
}

/** Undefined where text in quotes, or a comment, is being written. */
function flowAt(text: string): Flow | undefined {
  const open: OpenFlow[] = [];
  let word = '';
  for (const one of text) {
    const top = open.at(-1);
    if (one === '"' || one === "'" || one === '#') return undefined;
    if (one === '[' || one === '{') open.push({ isMap: one === '{', key: undefined, taken: new Set() });
    else if (one === ']' || one === '}') open.pop();
    else if (one === ':' && top?.isMap === true) {
      top.key = word.trim();
      top.taken.add(top.key);
    } else if (one === ',' && top !== undefined) top.key = undefined;
    else {
      word = one === ' ' ? '' : word + one;
      continue;
    }
    word = '';
  }
  const top = open.at(-1);
  const steps = open.flatMap(({ isMap, key }) => (isMap ? (key === undefined ? [] : [key]) : [item]));
  return { steps, word, isKey: top?.isMap === true && top.key === undefined, taken: top?.taken ?? new Set() };
}

/** The schemas that hold at a path. */
function nodesAt(schema: SchemaNode, path: readonly Step[]): readonly SchemaNode[] {
  let nodes: readonly SchemaNode[] = expanded(schema, [schema]);
  for (const step of path) {
    const next = nodes.flatMap((node) => {
      if (step === item) return node.items === undefined ? [] : [node.items];
      const own = node.properties;
      if (own !== undefined && Object.hasOwn(own, step)) return own[step] ?? [];
      const other = node.additionalProperties;
      return typeof other === 'object' ? [other] : [];
    });
    nodes = expanded(schema, next);
  }
  return nodes;
}

const expansionsMax = 100;

function expanded(root: SchemaNode, nodes: readonly SchemaNode[]): readonly SchemaNode[] {
  const found: SchemaNode[] = [];
  const waiting = [...nodes];
  for (let count = 0; waiting.length > 0 && count < expansionsMax; count += 1) {
    const node = waiting.shift();
    if (node === undefined) break;
    if (node.anyOf !== undefined) waiting.push(...node.anyOf);
    const name = node.$ref?.split('/').at(-1);
    const named = name === undefined ? undefined : root.$defs?.[name];
    if (named !== undefined) waiting.push(named);
    found.push(node);
  }
  return found;
}

interface KeyPlace {
  readonly taken: ReadonlySet<string>;
  /** Column of the keys; undefined within braces, where all stands on one line. */
  readonly indent: number | undefined;
}

function keysOf(root: SchemaNode, nodes: readonly SchemaNode[], { taken, indent }: KeyPlace): Suggestion[] {
  return nodes.flatMap(({ properties = {} }) =>
    Object.entries(properties)
      .filter(([key]) => !taken.has(key))
      .map(([key, node]) => ({
        label: key,
        what: 'key' as const,
        info: node.description,
        text: `${key}:${opening(expanded(root, [node]), indent)}`,
      })),
  );
}

/** What follows the colon: the next line, where only a map or a list of maps can stand. */
function opening(kinds: readonly SchemaNode[], indent: number | undefined): string {
  const types = kinds.flatMap(({ type }) => (type === undefined ? [] : [type]));
  if (indent === undefined || types.some((type) => type !== 'object' && type !== 'array')) return ' ';
  const inner = ' '.repeat(indent + 2);
  return types.includes('array') ? `\n${inner}- ` : `\n${inner}`;
}

function valuesOf(
  root: SchemaNode,
  nodes: readonly SchemaNode[],
  names: readonly string[],
): readonly Suggestion[] {
  const all = expanded(root, [
    ...nodes,
    ...nodes.flatMap(({ items }) => (items === undefined ? [] : [items])),
  ]);
  const values = all.flatMap((node) => {
    if (node.enum !== undefined) return node.enum.map(String);
    if (node.const !== undefined) return [String(node.const)];
    return node.type === 'boolean' ? ['true', 'false'] : [];
  });
  return [...new Set([...values, ...names])].map((label) => ({
    label,
    what: 'value',
    info: undefined,
    text: label,
  }));
}
