// Which path of a service of models is which operation. What is none of these costs what nobody here counts.

/** APIs of services of models whose requests and responses are read. */
export const llmApis = ['openai-chat', 'openai-responses', 'anthropic', 'gemini', 'bedrock'] as const;
export type LlmApi = (typeof llmApis)[number];

/** `call` is a model at work, `count` says how many tokens a call would have. */
export interface LlmEndpoint {
  readonly api: LlmApi;
  readonly kind: 'call' | 'count';
  /** The path is where the service itself has it. Others may take more of the path for a name of a model. */
  readonly isStandard: boolean;
  /** Where the path says them, and not the body. */
  readonly model?: string;
  readonly streams?: boolean;
  /** The body is one of the model's own, which its family tells. */
  readonly invokes?: true;
}

interface Ending {
  readonly text: string;
  readonly kind: 'call' | 'count';
  readonly streams?: boolean;
  readonly invokes?: true;
}

const endings: Readonly<Record<LlmApi, readonly Ending[]>> = {
  'openai-chat': [{ text: '/chat/completions', kind: 'call' }],
  'openai-responses': [{ text: '/responses', kind: 'call' }],
  anthropic: [
    { text: '/messages', kind: 'call' },
    { text: '/messages/count_tokens', kind: 'count' },
  ],
  gemini: [
    { text: ':generateContent', kind: 'call', streams: false },
    { text: ':streamGenerateContent', kind: 'call', streams: true },
    { text: ':countTokens', kind: 'count', streams: false },
  ],
  bedrock: [
    { text: '/converse', kind: 'call', streams: false },
    { text: '/converse-stream', kind: 'call', streams: true },
    { text: '/invoke', kind: 'call', streams: false, invokes: true },
    { text: '/invoke-with-response-stream', kind: 'call', streams: true, invokes: true },
  ],
};

/** What stands before the ending, or before the model where that is in the path. */
const bases: Readonly<Record<LlmApi, readonly string[]>> = {
  'openai-chat': ['/v1'],
  'openai-responses': ['/v1'],
  anthropic: ['/v1'],
  gemini: ['/v1beta', '/v1'],
  bedrock: [''],
};

/** Before the model, in the APIs whose paths name it. */
const modelFolders: Readonly<Partial<Record<LlmApi, string>>> = { gemini: '/models/', bedrock: '/model/' };

/** Undefined: the path is no operation of these APIs. Linear in the path. */
export function llmEndpointOf(path: string): LlmEndpoint | undefined {
  for (const api of llmApis)
    for (const ending of endings[api]) {
      if (!path.endsWith(ending.text)) continue;
      const endpoint = endpointOf(api, ending, path.slice(0, -ending.text.length));
      if (endpoint !== undefined) return endpoint;
    }
  return undefined;
}

function endpointOf(
  api: LlmApi,
  { kind, streams, invokes }: Ending,
  before: string,
): LlmEndpoint | undefined {
  const mode = { ...(streams === undefined ? {} : { streams }), ...(invokes && { invokes }) };
  const folder = modelFolders[api];
  // Azure's take the model from there, whatever the body says.
  if (folder === undefined && before.includes('/deployments/')) return undefined;
  if (folder === undefined) return { api, kind, isStandard: bases[api].includes(before), ...mode };
  const at = before.lastIndexOf(folder);
  const model = at === -1 ? undefined : modelInPath(before.slice(at + folder.length));
  if (model === undefined) return undefined;
  return { api, kind, isStandard: bases[api].includes(before.slice(0, at)), model, ...mode };
}

const plainModel = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$/;

/** Undefined: it is no name of a model that services read alike. */
function modelInPath(segment: string): string | undefined {
  if (segment.includes('/')) return undefined;
  let name: string;
  try {
    name = decodeURIComponent(segment);
  } catch {
    return undefined;
  }
  return plainModel.test(name) ? name : undefined;
}

/** Whether the path lists models, or says what one of them is: that costs nothing. */
export function isModelList(api: LlmApi, path: string, isStandardOnly: boolean): boolean {
  if (api === 'bedrock') return false;
  const at = path.lastIndexOf('/models');
  if (at === -1 || (isStandardOnly && !bases[api].includes(path.slice(0, at)))) return false;
  const rest = path.slice(at + '/models'.length);
  return rest === '' || /^\/[A-Za-z0-9][A-Za-z0-9._@-]{0,255}$/.test(rest);
}
