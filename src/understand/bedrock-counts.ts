// What fields of a response of InvokeModel say of what it took: for families whose bodies say nothing, they are all there is.

import type { HeaderList } from '../http/header-list.ts';

/** The member of a body in which Bedrock says it itself, whatever the family of the model. */
export const bedrockMetrics = 'amazon-bedrock-invocationMetrics';

const fields = [
  ['x-amzn-bedrock-input-token-count', 'inputTokenCount'],
  ['x-amzn-bedrock-output-token-count', 'outputTokenCount'],
  ['x-amzn-bedrock-cache-read-input-token-count', 'cacheReadInputTokenCount'],
  ['x-amzn-bedrock-cache-write-input-token-count', 'cacheWriteInputTokenCount'],
] as const;

/** As that member would say it. What is no number is kept as what it is, for whoever counts to refuse. */
export function countsInFields(headers: HeaderList): Readonly<Record<string, unknown>> {
  const counts = fields.flatMap(([field, name]) => {
    const values = headers.all(field);
    const [value = ''] = values;
    if (values.length === 0) return [];
    const isNumber = values.length === 1 && /^\d{1,15}$/.test(value);
    return [[name, isNumber ? Number(value) : value] as const];
  });
  return { [bedrockMetrics]: Object.fromEntries(counts) };
}
