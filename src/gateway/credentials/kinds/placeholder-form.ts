// What the workload may see of a credential: the shape of `placeholder:`, and the variables that it becomes.

import { z } from 'zod';
import { text } from '../../../policy/schema-parts.ts';
import { strictMap } from '../../../policy/yaml-source.ts';
import { environmentName } from '../sources/source-schema.ts';

export interface PlaceholderForm {
  readonly schema: z.ZodType<
    | { readonly env: string; readonly value?: string; readonly body?: boolean; readonly messages?: number }
    | undefined
  >;
  /** The variables of the workload that hold the text, by the one that the configuration names. */
  variables(env: string): readonly string[];
}

export const placeholderEnvironment = environmentName(
  'write the environment variable that the workload sees, such as GITHUB_TOKEN',
);
export const placeholderOptions = {
  hint: 'write placeholder: { env: NAME }',
  synonyms: { name: 'env', variable: 'env' },
} as const;
const description = 'What the workload sees in its environment instead.';
const refused = new Map(
  ['body', 'messages'].map((key) => [key, `"${key}" has a meaning for kind placeholder only; remove it`]),
);

/** For a kind that puts its secret where it belongs, whatever the workload sent there. */
export function standIn({
  env = placeholderEnvironment,
  variables = (variable) => [variable],
}: {
  readonly env?: z.ZodString;
  readonly variables?: PlaceholderForm['variables'];
} = {}): PlaceholderForm {
  const value = text('write the harmless text that stands in it').optional();
  const schema = strictMap({ env, value }, { ...placeholderOptions, refused });
  return { schema: schema.optional().describe(description), variables };
}
