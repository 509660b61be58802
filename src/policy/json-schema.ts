// The JSON Schemas of policy and configuration files, made from the schemas that check them.

import { z } from 'zod';

/** A JSON Schema (2020-12) of what people write, for editors and for schema/. */
export function jsonSchemaOf(
  schema: z.ZodType,
  head: { readonly title: string; readonly id: string },
): object {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return { $schema, $id: head.id, title: head.title, ...rest };
}
