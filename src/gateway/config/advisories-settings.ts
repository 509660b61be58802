// What the configuration says of advisories.

import type { z } from 'zod';
import type { advisoriesSchema } from './advisories-schema.ts';

export interface AdvisoriesSettings {
  /** Absolute path of the index. It may come later: until then rules that look into it allow nothing. */
  readonly index: string;
  /** The newest advisory of each registry is younger than this. */
  readonly staleMs: number;
}

const dayMs = 86_400_000;
const staleDaysByDefault = 7;

export function advisoriesSettings(
  document: z.infer<typeof advisoriesSchema> | undefined,
  absolute: (path: string) => string,
): { readonly advisories?: AdvisoriesSettings } {
  if (document === undefined) return {};
  const { index, staleDays = staleDaysByDefault } = document;
  return { advisories: { index: absolute(index), staleMs: staleDays * dayMs } };
}
