// The operations of the admin API as Python, made from its OpenAPI document: types, methods, and shapes by which responses are checked.

type Json = Readonly<Record<string, unknown>>;

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
}

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly description?: string;
  readonly schema: Schema;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly 'x-role': string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Placed {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** A type as Python writes it, and the shape that a value of it has. */
interface Typed {
  readonly python: string;
  readonly shape: unknown;
}

const head = `# Generated from schema/admin.openapi.json by scripts/build-python-sdk.ts: change neither here.
"""The operations of the admin API: their types, and one method each."""

from typing import Any, Callable, Dict, List, Literal, Mapping, Optional, TypedDict, Union, cast

`;

const plain: Readonly<Record<string, Typed>> = {
  string: { python: 'str', shape: 'str' },
  integer: { python: 'int', shape: 'int' },
  number: { python: 'float', shape: 'float' },
  boolean: { python: 'bool', shape: 'bool' },
};
const anything: Typed = { python: 'Any', shape: 'any' };

/** The text of operations.py. */
export function pythonOperations(document: OpenApiDocument): string {
  const placed = Object.entries(document.paths).flatMap(([path, of]) =>
    Object.entries(of).map(([method, operation]): Placed => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
  const types = new PythonTypes();
  // What stands alone gives its name to what a list has of it.
  const lists = placed.filter(({ operation }) => outputOf(operation).properties?.['items'] !== undefined);
  for (const { operation } of [...placed.filter((one) => !lists.includes(one)), ...lists])
    types.of(
      outputOf(operation),
      operation.operationId === 'follow' ? 'AuditEvent' : pascal(operation.operationId),
    );
  const methods = placed
    .filter(({ operation }) => operation.operationId !== 'follow')
    .map((one) => (isStream(one.operation) ? tellingOf(types, one) : methodOf(types, one)));
  const shapes = Object.entries(types.shapes).map(
    ([name, shape]) => `    ${text(name)}: ${python(shape)},\n`,
  );
  return [
    head,
    ...types.definitions,
    '#: What each type has: the members that must be there, and those that may.\n',
    `SHAPES: Dict[str, List[Dict[str, Any]]] = {\n${shapes.join('')}}\n\n\n`,
    base,
    methods.join('\n'),
  ].join('');
}

const base = `class Operations:
    """One method for each operation of the OpenAPI document."""

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        shape: Any,
        *,
        id: Optional[str] = None,
        query: Optional[Mapping[str, Any]] = None,
        body: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
        is_write: bool = False,
    ) -> Any:
        raise NotImplementedError

    def _tell(
        self,
        operation: str,
        method: str,
        path: str,
        shape: Any,
        body: Mapping[str, Any],
        on_progress: Optional[Callable[[Any], None]],
    ) -> Any:
        raise NotImplementedError

`;

/** Types of objects by their names; objects of one form are one type. */
class PythonTypes {
  readonly definitions: string[] = [];
  readonly shapes: Record<string, unknown> = {};
  readonly #names = new Map<string, string>();

  of(schema: Schema, name: string): Typed {
    const { type = '', anyOf, items, prefixItems, properties } = schema;
    const values = schema.const === undefined ? schema.enum : [schema.const];
    if (values !== undefined)
      return { python: `Literal[${values.map(python).join(', ')}]`, shape: ['one', values] };
    if (anyOf !== undefined) return this.#union(anyOf, name);
    if (type === 'array') {
      const item =
        prefixItems === undefined
          ? this.of(items ?? {}, `${name}Item`)
          : this.#union(prefixItems, `${name}Item`);
      return { python: `List[${item.python}]`, shape: ['list', item.shape] };
    }
    if (properties !== undefined) return this.#object(schema, name);
    if (type === 'object') {
      const value =
        typeof schema.additionalProperties === 'object'
          ? this.of(schema.additionalProperties, `${name}Value`)
          : anything;
      return { python: `Dict[str, ${value.python}]`, shape: ['dict', value.shape] };
    }
    return plain[type] ?? anything;
  }

  #union(schemas: readonly Schema[], name: string): Typed {
    const all = schemas.map((schema, i) => this.of(schema, `${name}${i + 1}`));
    const names = [...new Set(all.map((one) => one.python))];
    return {
      python: names.length === 1 ? (names[0] ?? 'Any') : `Union[${names.join(', ')}]`,
      shape: ['any_of', all.map(({ shape }) => shape)],
    };
  }

  #object(schema: Schema, wanted: string): Typed {
    const { properties = {}, required = [] } = schema;
    const form = JSON.stringify(withoutWords(schema));
    const known = this.#names.get(form);
    if (known !== undefined) return { python: known, shape: ['is', known] };
    const name = this.shapes[wanted] === undefined ? wanted : `${wanted}Part`;
    this.#names.set(form, name);
    this.shapes[name] = {};
    const members = Object.entries(properties).map(([member, one]) => ({
      member,
      description: one.description,
      typed: this.of(one, `${name}${pascal(member)}`),
      isRequired: required.includes(member),
    }));
    const [must, may] = [
      members.filter(({ isRequired }) => isRequired),
      members.filter(({ isRequired }) => !isRequired),
    ];
    const shapeOf = (some: typeof members): Json =>
      Object.fromEntries(some.map(({ member, typed }) => [member, typed.shape]));
    this.shapes[name] = [shapeOf(must), shapeOf(may)];
    const dict = (suffix: string, some: typeof members, total: string): string =>
      `_${name}${suffix} = TypedDict(\n    ${text(`_${name}${suffix}`)},\n    {\n${some.map(memberLine).join('')}    }${total},\n)\n\n\n`;
    this.definitions.push(
      dict('Must', must, ''),
      dict('May', may, ',\n    total=False'),
      `class ${name}(_${name}Must, _${name}May):\n    pass\n\n\n`,
    );
    return { python: name, shape: ['is', name] };
  }
}

function memberLine({
  member,
  description,
  typed,
}: {
  readonly member: string;
  readonly description: string | undefined;
  readonly typed: Typed;
}): string {
  const comment = description === undefined ? '' : `        # ${description}\n`;
  return `${comment}        ${text(member)}: ${typed.python},\n`;
}

/** What tells one form from another. */
function withoutWords(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutWords);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, one]) => name !== 'description' || typeof one !== 'string')
      .map(([name, one]) => [name, withoutWords(one)]),
  );
}

function methodOf(types: PythonTypes, { method, path, operation }: Placed): string {
  const { operationId, summary, parameters = [] } = operation;
  const name = snake(operationId);
  const body = operation.requestBody?.content['application/json']?.schema;
  const query = parameters.filter((one) => one.in === 'query');
  const headers = new Set(parameters.filter((one) => one.in === 'header').map((one) => one.name));
  const isWrite = headers.has('Idempotency-Key');
  const output = types.of(outputOf(operation), pascal(operationId));
  const taken = [
    'self',
    ...(path.includes('{') ? ['id: str'] : []),
    ...(body === undefined ? [] : [`body: ${types.of(body, `${pascal(operationId)}Body`).python}`]),
    '*',
    ...query.map(
      (one) => `${argument(one.name)}: Optional[${types.of(one.schema, pascal(one.name)).python}] = None`,
    ),
    'timeout: Optional[float] = None',
    ...(isWrite ? ['idempotency_key: Optional[str] = None', 'if_match: Optional[str] = None'] : []),
  ];
  const given = [
    ...[operationId, method, path].map(text),
    python(output.shape),
    ...(path.includes('{') ? ['id=id'] : []),
    ...(query.length === 0
      ? []
      : [`query={${query.map((one) => `${text(one.name)}: ${argument(one.name)}`).join(', ')}}`]),
    ...(body === undefined ? [] : ['body=cast(Mapping[str, Any], body)']),
    'timeout=timeout',
    ...(isWrite ? ['idempotency_key=idempotency_key', 'if_match=if_match', 'is_write=True'] : []),
  ];
  const lines = (some: readonly string[], indent: string): string =>
    some.map((one) => `${indent}${one},\n`).join('');
  return (
    `    def ${name}(\n${lines(taken, '        ')}    ) -> ${output.python}:\n` +
    `        """${summary} Role: ${operation['x-role']}."""\n` +
    `        return cast(\n            ${output.python},\n            self._call(\n${lines(given, '                ')}            ),\n        )\n`
  );
}

/** Of what goes on for minutes: it says how far it is, and the last that it says has the result. */
function tellingOf(types: PythonTypes, { method, path, operation }: Placed): string {
  const { operationId, summary } = operation;
  const body = operation.requestBody?.content['application/json']?.schema;
  if (body === undefined) throw new Error(`${operationId} takes no body`);
  const output = types.of(outputOf(operation), pascal(operationId));
  const given = types.of(body, `${pascal(operationId)}Body`).python;
  return (
    `    def ${snake(operationId)}(\n        self,\n        body: ${given},\n        *,\n` +
    `        on_progress: Optional[Callable[[${output.python}], None]] = None,\n    ) -> ${output.python}:\n` +
    `        """${summary} Role: ${operation['x-role']}."""\n` +
    `        return cast(\n            ${output.python},\n            self._tell(\n` +
    `                ${[operationId, method, path].map(text).join(', ')},\n                ${python(output.shape)},\n` +
    `                cast(Mapping[str, Any], body),\n                cast(Optional[Callable[[Any], None]], on_progress),\n            ),\n        )\n`
  );
}

function isStream({ responses }: Operation): boolean {
  return Object.values(responses).some(({ content = {} }) => 'text/event-stream' in content);
}

function outputOf({ operationId, responses }: Operation): Schema {
  const content = Object.entries(responses).find(([status]) => status.startsWith('2'));
  const [schema] = Object.values(content?.[1].content ?? {});
  if (schema === undefined) throw new Error(`${operationId} gives nothing`);
  return schema.schema;
}

function pascal(name: string): string {
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
}

/** Words of the language. PEP 8 has an underscore behind them where they are names. */
const words = new Set(
  'and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield'.split(
    ' ',
  ),
);

const argument = (name: string): string => (words.has(name) ? `${name}_` : name);

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A literal of Python: JSON's but for three words, none of which stands in a text here. */
function python(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([name, one]) => `${text(name)}: ${python(one)}`)
      .join(', ')}}`;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return value === null ? 'None' : JSON.stringify(value);
}

function text(value: string): string {
  return JSON.stringify(value);
}
