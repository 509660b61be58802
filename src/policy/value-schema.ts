// A JSON Schema of what a tool may be called with, as values are checked by it.

import type { LinearPattern } from './linear-pattern.ts';

export type SchemaType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object';

/** A schema that is checked by. Absent: it says nothing of it. */
export interface ValueSchema {
  /** Of `false`. */
  readonly isNever?: true;
  readonly types?: ReadonlySet<SchemaType>;
  /** `enum` and `const`, as plain data. */
  readonly values?: readonly PlainJson[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: LinearPattern;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly prefixItems?: readonly ValueSchema[];
  readonly items?: ValueSchema;
  readonly contains?: ValueSchema;
  readonly minContains?: number;
  readonly maxContains?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: ReadonlyMap<string, ValueSchema>;
  readonly patternProperties?: readonly (readonly [LinearPattern, ValueSchema])[];
  readonly additionalProperties?: ValueSchema;
  readonly propertyNames?: ValueSchema;
  readonly required?: readonly string[];
  readonly dependentRequired?: ReadonlyMap<string, readonly string[]>;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  /** By what some servers take for them: the names that the schema itself has. */
  readonly named?: ReadonlyMap<string, ReadonlySet<string>>;
  readonly allOf?: readonly ValueSchema[];
  readonly anyOf?: readonly ValueSchema[];
  readonly oneOf?: readonly ValueSchema[];
  readonly not?: ValueSchema;
  readonly if?: ValueSchema;
  readonly then?: ValueSchema;
  readonly else?: ValueSchema;
  /** `$ref`. */
  readonly same?: ValueSchema;
}

export type PlainJson = null | boolean | number | string | readonly PlainJson[] | PlainObject;
interface PlainObject {
  readonly [name: string]: PlainJson;
}
