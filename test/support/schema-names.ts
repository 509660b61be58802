// What a JSON Schema accepts, as a flat list: each key by its path, and each value that a key may be set to.

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly type?: string | readonly string[];
}

// Deeper than any file of ours; keeps a schema that contains itself from being walked for ever.
const depthMax = 8;

/** Sorted; `a.b`, `a.*` for keys of the user's own, `a[]` for the members of a list, `a=value`, `a:type`. */
export function schemaNames(root: unknown): string[] {
  const names = new Set<string>();
  const visit = (given: Schema | boolean | undefined, path: string, depth: number): void => {
    if (given === undefined || typeof given === 'boolean' || depth > depthMax) return;
    const schema = resolved(root, given);
    for (const part of [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])])
      visit(part, path, depth);
    for (const [name, value] of Object.entries(schema.properties ?? {})) {
      const inner = path === '' ? name : `${path}.${name}`;
      names.add(inner);
      visit(value, inner, depth + 1);
    }
    visit(schema.additionalProperties, `${path}.*`, depth + 1);
    visit(schema.items, `${path}[]`, depth + 1);
    for (const value of schema.enum ?? []) names.add(`${path}=${String(value)}`);
    if (schema.const !== undefined) names.add(`${path}=${String(schema.const)}`);
    for (const type of [schema.type ?? []].flat()) names.add(`${path}:${type}`);
  };
  // The caller passes a parsed schema file.
  visit(root as Schema, '', 0);
  return [...names].sort();
}

function resolved(root: unknown, schema: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  let found: unknown = root;
  for (const key of schema.$ref.replace(/^#\//, '').split('/'))
    found = (found as Record<string, unknown>)[key];
  // Neighbours of a reference count too.
  return { ...(found as Schema), ...schema, $ref: undefined } as Schema;
}
